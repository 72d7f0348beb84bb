"""Convert a Keras 3 model to a tf_keras model, which TF-MOT needs.

Layers that both Keras versions have are rebuilt from their configuration and given the same weights, because
TF-MOT recognizes only tf_keras classes. Others (``keras.ops`` nodes, layers new in Keras 3, custom layers)
run unchanged inside a tf_keras layer; both Keras versions run on TensorFlow. The result is compared with the
original on random input before use.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tflite_compress.models.activations import registered_activation
from tflite_compress.models.graph import Call, replay
from tflite_compress.models.keras_errors import cause_line
from tflite_compress.models.keras_types import Config, KerasModel, Layer
from tflite_compress.models.random_runs import run_on_random
from tflite_compress.support.backend import keras3, tf_keras
from tflite_compress.support.errors import ModelError

TOLERANCE = 1e-5

# Layers that compute the same in both versions. The others differ (Normalization has other weights,
# GroupNormalization other defaults) or do not exist in tf_keras.
NATIVE = frozenset(
    """Activation Add Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization
    Bidirectional Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
    ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Dense DepthwiseConv2D Dot Dropout ELU
    Embedding Flatten GRU GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalMaxPooling1D GlobalMaxPooling2D LSTM LayerNormalization LeakyReLU Masking MaxPooling1D
    MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention Multiply PReLU Permute RNN ReLU
    RepeatVector Rescaling Reshape SeparableConv1D SeparableConv2D SimpleRNN Softmax SpatialDropout1D
    SpatialDropout2D Subtract TimeDistributed UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D""".split()
)

CELLS = frozenset(("LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"))

# Configuration entries that affect initialization or training only.
_IRRELEVANT = frozenset(
    """activity_regularizer bias_constraint bias_initializer bias_regularizer beta_constraint
    beta_initializer beta_regularizer build_config depthwise_constraint depthwise_initializer
    depthwise_regularizer embeddings_constraint embeddings_initializer embeddings_regularizer
    gamma_constraint gamma_initializer gamma_regularizer input_length kernel_constraint
    kernel_initializer kernel_regularizer moving_mean_initializer moving_variance_initializer
    pointwise_constraint pointwise_initializer pointwise_regularizer quantization_config
    recurrent_constraint recurrent_initializer recurrent_regularizer alpha_initializer
    alpha_regularizer alpha_constraint synchronized seed noise_shape batch_input_shape
    cudnn_enabled use_cudnn flash_attention lora_rank lora_alpha module registered_name""".split()
)

# Without hard_sigmoid, which Keras 3 redefined.
_SAME_ACTIVATIONS = {
    name: name
    for name in ("linear relu softmax sigmoid tanh elu selu softplus softsign exponential gelu mish".split())
} | {"silu": "swish", "swish": "swish"}


def to_tf_keras(model: KerasModel, verify: bool = True) -> KerasModel:
    """Rebuild a functional or sequential Keras 3 model as a flat tf_keras model with equal outputs.

    Nested models are inlined. Layers shared between calls stay shared. The copy has weights of its own.

    Args:
        model: A built Keras 3 model.
        verify: Compare both models on random input.

    Returns:
        A ``tf_keras.Model``.

    Raises:
        ModelError: The model is subclassed, a layer cannot be rebuilt, or the outputs differ by more
            than 1e-5. The message names the layer.
    """
    keras3()
    translator = _Translator()
    bridged = replay(model, translator.translate)
    if verify:
        _require_equal(model, bridged)
    return bridged


class _Translator:
    """Translates calls of Keras 3 layers. It keeps each translated layer, so shared layers stay shared."""

    def __init__(self) -> None:
        self._layers: dict[int, Layer] = {}

    def translate(self, call: Call) -> object:
        try:
            layer = self._layers.get(id(call.layer))
            if layer is None:
                layer = _native(call.layer, call.name) or _carry(call.layer, call.name)
                self._layers[id(call.layer)] = layer
            return _call(layer, call)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(
                f"layer '{call.name}' ({type(call.layer).__name__}) cannot be rebuilt in tf_keras: "
                f"{cause_line(error)}",
                "Replace the layer, or choose a recipe without training passes "
                "(float16, dynamic, int8, int16x8).",
            ) from error


def _call(layer: Layer, call: Call) -> object:
    """Call the translated layer. A native layer gets its weights after its first call has built it."""
    from tflite_compress.models.carrier import Carrier, call_carrier

    # Keras 3 records a training mode that it overrides in every call; tf_keras would keep it.
    kwargs = {name: value for name, value in call.kwargs.items() if name != "training"}
    if isinstance(layer, Carrier):
        return call_carrier(layer, call.args, kwargs)
    fresh = not layer.built
    outputs = layer(*_without_lost_mask(layer, call.args, kwargs), **kwargs)
    if fresh:
        layer.set_weights(call.layer.get_weights())
    return outputs


def _without_lost_mask(layer: Layer, args: tuple[object, ...], kwargs: Config) -> tuple[object, ...]:
    """Return the arguments of a call without the implicit mask that Keras 3 does not pass on.

    Keras 3 gives a layer with several tensor arguments a mask for each, and recurrent layers take one mask.
    With an initial state they therefore compute without a mask, and tf_keras would use it.
    """
    from tflite_compress.models.mask_layers import WithoutMask

    recurrent = hasattr(getattr(layer, "forward_layer", layer), "return_sequences")
    has_state = len(args) > 1 or kwargs.get("initial_state") is not None
    if not recurrent or not has_state or kwargs.get("mask") is not None:
        return args
    if getattr(args[0], "_keras_mask", None) is None:
        return args
    return (WithoutMask()(args[0]), *args[1:])


def _carry(layer: Layer, name: str) -> Layer:
    from tflite_compress.models.carrier import Carrier, independent

    carrier: Layer = Carrier(independent(layer), name)
    return carrier


def _native(layer: Layer, name: str) -> Layer | None:
    """Return the tf_keras layer for a Keras 3 layer, or None if tf_keras has none."""
    class_name = type(layer).__name__
    if class_name not in NATIVE or not type(layer).__module__.startswith("keras.src.layers."):
        return None
    twin = getattr(tf_keras().layers, class_name, None)
    if twin is None:
        return None
    if class_name in ("Bidirectional", "TimeDistributed"):
        return _native_wrapper(layer, twin, name)
    if class_name == "RNN":
        return _native_rnn(layer, twin, name)
    config = _native_config(layer, twin)
    if config is None:
        return None
    if class_name == "BatchNormalization":
        # The fused kernel rounds differently from the one in Keras 3. In untrained deep networks the
        # difference grows beyond the tolerance.
        config["fused"] = False
    native: Layer = twin(**{**config, "name": name})
    return native


def _native_wrapper(layer: Any, twin: Callable[..., Layer], name: str) -> Layer | None:
    inner_layer = layer.forward_layer if type(layer).__name__ == "Bidirectional" else layer.layer
    inner = _native(inner_layer, inner_layer.name)
    if inner is None:
        return None
    if type(layer).__name__ == "TimeDistributed":
        return twin(inner, name=name)
    backward = _native(layer.backward_layer, layer.backward_layer.name)
    return twin(inner, merge_mode=layer.merge_mode, backward_layer=backward, name=name)


def _native_rnn(layer: Any, twin: Callable[..., Layer], name: str) -> Layer | None:
    """Return the RNN layer of tf_keras for one of Keras 3, or None if tf_keras lacks its cell."""
    cell = _native_cell(layer.cell)
    settings = (
        "return_sequences",
        "return_state",
        "go_backwards",
        "stateful",
        "unroll",
        "zero_output_for_mask",
    )
    chosen = {key: getattr(layer, key) for key in settings}
    return None if cell is None else twin(cell, **chosen, name=name)


def _native_cell(cell: Any) -> Layer | None:
    """Return the tf_keras cell for a Keras 3 cell, or None if tf_keras has none."""
    class_name = type(cell).__name__
    if class_name not in CELLS or not type(cell).__module__.startswith("keras.src.layers."):
        return None
    twin: Callable[..., Layer] = getattr(tf_keras().layers, class_name)
    if class_name == "StackedRNNCells":
        cells = [_native_cell(inner) for inner in cell.cells]
        return None if None in cells else twin(cells)
    config = _native_config(cell, twin)  # type: ignore[arg-type]
    return None if config is None else twin(**config)


def _native_config(layer: Layer, twin: type) -> Config | None:
    """Return constructor arguments for ``twin``, or None if the layer has a setting that it lacks."""
    accepted = _constructor_arguments(twin) | {"name", "trainable", "dtype"}
    if issubclass(twin, tf_keras().layers.RNN):
        accepted |= {"zero_output_for_mask"}  # taken from **kwargs
    defaults = _defaults(type(layer))
    config: Config = {}
    for key, value in layer.get_config().items():
        if key in _IRRELEVANT:
            continue
        if key == "dtype":
            config[key] = _policy_name(value)
        elif "activation" in key:
            config[key] = _activation(getattr(layer, key, value), value)
        elif key == "negative_slope" and key not in accepted:
            config["alpha"] = value
        elif key in accepted:
            config[key] = value
        elif key in ("groups", "filters") and type(layer).__name__ == "DepthwiseConv2D":
            continue
        elif value not in (None, False) and value != defaults.get(key):
            return None  # a setting that tf_keras does not have
    return config


@cache
def _constructor_arguments(cls: type) -> frozenset[str]:
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" in vars(base):
            names.update(inspect.signature(vars(base)["__init__"]).parameters)
    return frozenset(names - {"self", "args", "kwargs"})


@cache
def _defaults(cls: type) -> dict[str, object]:
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base):
            parameters = inspect.signature(vars(base)["__init__"]).parameters
            found.update({name: p.default for name, p in parameters.items()})
    return found


def _policy_name(dtype: object) -> str:
    if isinstance(dtype, dict):
        return str(dtype.get("config", {}).get("name", "float32"))
    return str(dtype)


def _activation(function: object, configured: object) -> object:
    """Return the tf_keras name if both versions agree, else a function that computes that of Keras 3."""
    name = configured if isinstance(configured, str) else None
    if name is None and configured is None:
        return None
    if name in _SAME_ACTIVATIONS:
        return _SAME_ACTIVATIONS[name]
    return registered_activation(function if callable(function) else keras3().activations.get(configured))


def _require_equal(model: KerasModel, bridged: KerasModel) -> None:
    """Raise ModelError if the models differ by more than ``TOLERANCE`` on random input."""
    inputs, expected, actual = run_on_random(model, bridged)
    for e, a in zip(expected, actual, strict=True):
        difference = float(np.max(np.abs(e - a), initial=0.0))
        scale = max(1.0, float(np.max(np.abs(e), initial=0.0)))
        if not difference <= TOLERANCE * scale:
            raise ModelError(
                f"the tf_keras copy of model '{model.name}' differs from it by {difference:.1e} "
                f"(at most {TOLERANCE:.0e} is accepted), first at {_first_deviation(model, bridged, inputs)}",
                "Replace that layer, or choose a recipe without training passes "
                "(float16, dynamic, int8, int16x8).",
            )


def _first_deviation(model: KerasModel, bridged: KerasModel, inputs: list[np.ndarray]) -> str:
    """Return the name of the first layer with different outputs, for the error message."""
    twins = {layer.name: layer for layer in bridged.layers}
    for layer in model.layers:
        twin = twins.get(layer.name)
        if twin is None or not hasattr(layer, "output") or isinstance(layer.output, list):
            continue
        ours = tf_keras().Model(bridged.inputs, twin.output)(inputs, training=False)
        theirs = keras3().Model(model.inputs, layer.output)(inputs, training=False)
        if np.max(np.abs(np.asarray(ours) - np.asarray(theirs)), initial=0.0) > TOLERANCE:
            return f"layer '{layer.name}' ({type(layer).__name__})"
    return "an unknown layer"

"""TF-MOT's simulated rounding: which layers it knows, and networks with its wrappers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tflite_compress.support.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tflite_compress.models.keras_types import KerasModel, Layer


def default_registry() -> Any:
    """Return TF-MOT's registry of the layers whose int8 rounding it can simulate."""
    from tflite_compress.support.backend import tfmot

    tfmot()
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry,
    )

    return default_8bit_quantize_registry.Default8BitQuantizeRegistry()


def simulates(registry: Any, layer: Layer) -> bool:
    """Return True if TF-MOT simulates the rounding of the layer and of its activations.

    Args:
        registry: TF-MOT's.
        layer: A layer of a built tf_keras model.
    """
    from tensorflow_model_optimization.python.core.quantization.keras.quantize_aware_activation import (
        QuantizeAwareActivation,
    )

    if not registry.supports(layer) or _receives_mask(layer):
        return False
    try:
        config = registry.get_quantize_config(layer)
        config.get_output_quantizers(layer)
        activations = [function for function, _ in config.get_activations_and_quantizers(layer)]
    except ValueError:  # an Activation layer with another function
        return False
    activation = QuantizeAwareActivation.__new__(QuantizeAwareActivation)
    return all(activation._is_supported_activation(function) for function in activations)


def _receives_mask(layer: Layer) -> bool:
    """Return True for a layer that gets a mask, which TF-MOT's wrappers do not pass on."""
    from tflite_compress.support.backend import tensorflow

    inputs = [x for node in layer._inbound_nodes for x in tensorflow().nest.flatten(node.input_tensors)]
    return any(getattr(x, "_keras_mask", None) is not None for x in inputs)


def layer_kind(registry: Any, layer: Layer) -> str:
    """Return the layer's class, with its activation or mask where that is what TF-MOT does not know."""
    if _receives_mask(layer):
        return f"{type(layer).__name__} with a mask"
    from tflite_compress.models.activations import activation_name

    kind = type(layer).__name__
    return f"{kind} with {activation_name(layer)}" if registry.supports(layer) else kind


def with_simulated_rounding(
    model: KerasModel,
    chosen: frozenset[str],
    keep_zeros: bool,
    keep_clusters: bool,
    quantizers: Mapping[str, object] | None = None,
) -> KerasModel:
    """Return a copy with TF-MOT's wrappers around the chosen layers.

    Args:
        model: A model without BatchNorm; unchanged.
        chosen: Names of layers that TF-MOT knows.
        keep_zeros: Zeros of weights stay zero while the copy is trained.
        keep_clusters: Equal weights of a layer stay equal while the copy is trained.
        quantizers: Quantizers of kernels that replace TF-MOT's, by layer.

    Raises:
        ConversionError: TF-MOT cannot copy the network.
    """
    from tflite_compress.models.carrier import Carrier
    from tflite_compress.models.copying import copied, rebuild
    from tflite_compress.models.mask_layers import custom_objects
    from tflite_compress.support.backend import tfmot

    quantization = tfmot().quantization.keras
    fused = _fused(model)
    copy = copied(model, lambda layer: {"activation": "relu"} if layer.name in fused else {})
    copy.trainable = True
    gone = {*fused.values()}

    def wrapped(layer: Layer) -> Any:
        # What a folded BatchNorm left is a layer that TF-MOT cannot load.
        if layer.name in gone or type(layer).__name__ == "Through":
            return lambda inputs, **_: inputs
        return quantization.quantize_annotate_layer(layer) if layer.name in chosen else layer

    with quantization.quantize_scope({**custom_objects(), "Carrier": Carrier}):
        scheme = _scheme(keep_zeros, keep_clusters, quantizers or {})
        try:
            annotated: KerasModel = quantization.quantize_apply(rebuild(copy, wrapped), scheme)
        except (TypeError, ValueError) as error:
            kinds = sorted({type(x).__name__ for x in model.layers if x.name not in chosen and x.weights})
            also = f", which has {', '.join(kinds)} layers," if kinds else ""
            raise ConversionError(
                f"TF-MOT cannot copy the model{also} for training with simulated rounding",
                "Use --recipe=repair-int8, which needs no training.",
            ) from error
        return annotated


def _fused(model: KerasModel) -> dict[str, str]:
    """Return the ReLU layers to merge into the layer before, by the name of that layer.

    TF-MOT merges such pairs too, but then does not keep the zeros or shared values of the layer.
    """
    from tflite_compress.models.wiring import wiring
    from tflite_compress.passes.algorithms.bias_correction import rectifies
    from tflite_compress.passes.algorithms.fold import FOLDABLE

    wires = wiring(model)
    found = {}
    for name, layer in wires.layers.items():
        linear = getattr(getattr(layer, "activation", None), "__name__", "") == "linear"
        if type(layer).__name__ not in FOLDABLE or not linear:
            continue
        reader = wires.only_reader(name)
        while reader is not None and type(wires.layers[reader]).__name__ == "Through":
            reader = wires.only_reader(reader)
        if reader is not None and rectifies(wires.layers[reader]):
            found[name] = reader
    return found


def _scheme(keep_zeros: bool, keep_clusters: bool, quantizers: Mapping[str, object]) -> Any:
    scheme = _tfmot_scheme(keep_zeros, keep_clusters)
    registry, default = scheme.get_quantize_registry(), default_registry()
    # TF-MOT also asks for layers that only feed a chosen one. Its registries say yes to activations that they
    # then refuse, and those that keep zeros or shared values to every layer without weights.
    registry.supports = lambda layer: simulates(default, layer)
    plain = registry.get_quantize_config

    def config_of(layer: Layer) -> object:
        config = plain(layer)
        if layer.name in quantizers:
            config.weight_quantizer = quantizers[layer.name]
        return config

    registry.get_quantize_config = config_of
    scheme.get_quantize_registry = lambda: registry
    return scheme


def _tfmot_scheme(keep_zeros: bool, keep_clusters: bool) -> Any:
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_scheme,
    )

    from tflite_compress.support.backend import tfmot

    combine = tfmot().experimental.combine
    if keep_clusters:
        return combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=keep_zeros)
    if keep_zeros:
        return combine.Default8BitPrunePreserveQuantizeScheme()
    return default_8bit_quantize_scheme.Default8BitQuantizeScheme()


def without_cluster_variables(model: KerasModel) -> KerasModel:
    """Return the model with shared values in its kernels, without the variables for training them."""
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
        cluster_utils,
    )

    stripped: KerasModel = cluster_utils.strip_clustering_cqat(model)
    return stripped

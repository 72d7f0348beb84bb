"""A float network: what is loaded from a file and what training passes turn into another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_compress.models.graph import input_names, is_functional, output_names
from tflite_compress.support.backend import tensorflow

BATCH_BYTES = 8 << 20  # of inputs; activations of a convolutional network take some 50 times as much


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a network.

    Attributes:
        name: Its name in the model and in the ``.tflite`` signature.
        shape: Its shape; the first entry is the batch, None is free.
        dtype: NumPy name of its element type.
        labels: What data may call the classes of an output, in its order, where they are not just numbered.
        nan: An input takes NaN for missing values.
        without_nan: What to do about NaN where it does not, besides repairing the data.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    labels: tuple[object, ...] = ()
    nan: bool = False
    without_nan: str = ""


@dataclass(frozen=True)
class Network:
    """A model that runs in TensorFlow, with its ports in a fixed order.

    Attributes:
        name: The model's name.
        handle: A tf_keras model, a Keras 3 model, or a SavedModel signature.
        inputs: Input ports, in the order every tuple of input arrays follows.
        outputs: Output ports, likewise.
        editable: True for a flat functional tf_keras model, which training passes can rebuild.
        why_not_editable: The reason otherwise, for the error message.
    """

    name: str
    handle: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    editable: bool = False
    why_not_editable: str = ""

    @property
    def tensor_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the inputs and of the outputs, in order: those of a ``.tflite``'s signature."""
        return tuple(p.name for p in self.inputs), tuple(p.name for p in self.outputs)

    def call(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """Run the network in inference mode.

        Args:
            arrays: One array or tensor for each input port.

        Returns:
            One tensor for each output port.
        """
        if not hasattr(self.handle, "trainable_weights"):  # a SavedModel signature
            named = self.handle(
                **{
                    port.name: tensorflow().cast(x, port.dtype)
                    for port, x in zip(self.inputs, arrays, strict=True)
                }
            )
            return tuple(named[port.name] for port in self.outputs)
        from tflite_compress.models.bridge import structured_inputs

        outputs = self.handle(structured_inputs(self.handle, list(arrays)), training=False)
        return tuple(tensorflow().nest.flatten(outputs))

    def predict(
        self, arrays: tuple[np.ndarray, ...], batch_size: int | None = None
    ) -> tuple[np.ndarray, ...]:
        """Run the network over many samples in batches.

        Args:
            arrays: One array for each input port, shape (samples, ...).
            batch_size: Samples at a time; by default as many as memory bears. A fixed batch goes first.

        Returns:
            One float array for each output port, shape (samples, ...).
        """
        fixed = self.inputs[0].shape[0]
        size = fixed or batch_size or _bearable(arrays)
        count = len(arrays[0])
        step = tensorflow().function(lambda *xs: self.call(xs), autograph=False, reduce_retracing=True)
        parts: list[tuple[np.ndarray, ...]] = []
        for start in range(0, count, size):
            chunk = tuple(x[start : start + size] for x in arrays)
            missing = size - len(chunk[0]) if fixed else 0
            if missing:
                chunk = tuple(np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) for x in chunk)
            results = step(*(tensorflow().constant(x) for x in chunk))
            parts.append(tuple(np.asarray(r)[: len(chunk[0]) - missing] for r in results))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def parameter_count(self) -> int:
        """Number of weights, trainable or not; 0 where a SavedModel does not tell."""
        return sum(int(np.prod(w.shape)) for w in getattr(self.handle, "weights", []))


def _bearable(arrays: tuple[np.ndarray, ...]) -> int:
    """Samples at a time whose activations stay within some 512 MB: a guess from the size of the inputs."""
    sample = sum(x.nbytes // max(1, len(x)) for x in arrays)
    return int(np.clip(BATCH_BYTES // max(1, sample), 1, 256))


def keras_network(model: Any, name: str, editable: bool, why_not: str = "") -> Network:
    """Describe a Keras 2 or Keras 3 model, functional or built."""
    if is_functional(model):
        named_inputs = zip(input_names(model), model.inputs, strict=True)
        named_outputs = zip(output_names(model), model.outputs, strict=True)
        inputs = tuple(_port(name, t) for name, t in named_inputs)
        outputs = tuple(_port(name, t) for name, t in named_outputs)
    else:
        inputs, outputs = _probe_subclassed(model)
    return Network(name, model, inputs, outputs, editable, why_not)


def safe_name(name: str) -> str:
    """Reduce a name to what TensorFlow accepts for a function's argument."""
    cleaned = re.sub(r"\W", "_", name)
    return cleaned if cleaned[:1].isalpha() else f"t_{cleaned}"


def _port(name: str, tensor: Any) -> TensorSpec:
    dtype = getattr(tensor.dtype, "name", tensor.dtype)
    return TensorSpec(safe_name(name), tuple(tensor.shape), str(dtype))


def _probe_subclassed(model: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Ports of a subclassed Keras model, from the shape it was built or called with."""
    tf = tensorflow()
    shape = getattr(model, "_build_input_shape", None)
    if shape is None:
        config = getattr(model, "_build_shapes_dict", None) or {}
        shape = next(iter(config.values()), None)
    if shape is None or isinstance(shape, dict) or (shape and isinstance(shape[0], list | tuple)):
        from tflite_compress.support.errors import ModelError

        raise ModelError(
            f"model '{model.name}' is subclassed and does not say what input it takes",
            "Call it once on a batch of data before passing it, or use the functional API.",
        )
    spec = tf.TensorSpec([None, *tuple(shape)[1:]], model.compute_dtype)
    outputs = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).outputs
    names = [f"output_{i}" for i in range(len(outputs))]
    return (TensorSpec("input_0", tuple(spec.shape), spec.dtype.name),), tuple(
        _port(name, t) for name, t in zip(names, outputs, strict=True)
    )

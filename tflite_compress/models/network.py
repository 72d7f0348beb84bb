"""A float network: loaded from a file, and changed by training passes."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_compress.models.graph import input_names, is_functional, output_names
from tflite_compress.models.keras_types import KerasModel, Tensor
from tflite_compress.models.output_parts import JoinedOutput, OutputParts, join_outputs
from tflite_compress.models.random_runs import structured_inputs
from tflite_compress.support.backend import tensorflow
from tflite_compress.support.errors import ModelError

BATCH_BYTES = 8 << 20  # of inputs; activations of a convolutional network take about 50 times as much


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a network.

    Attributes:
        name: Name in the model and in the ``.tflite`` signature.
        shape: Dimensions; the first is the batch, None is free.
        dtype: NumPy name of the element type.
        labels: Labels of an output's classes in the order of the output; empty if they are 0, 1, 2, ...
        nan: True if the input accepts NaN for missing values.
        without_nan: Addition to the hint of the error about NaN, for an input that does not accept it.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    labels: tuple[object, ...] = ()
    nan: bool = False
    without_nan: str = ""


@dataclass(frozen=True)
class Network:
    """A model that runs in TensorFlow, with its inputs and outputs in a fixed order.

    Attributes:
        name: The model's name.
        handle: A tf_keras model, a Keras 3 model, or a SavedModel signature.
        inputs: Inputs, in the order of every tuple of input arrays.
        outputs: Outputs, in the order of every tuple of output arrays.
        editable: True for a flat functional tf_keras model, which training passes can rebuild.
        why_not_editable: Why the model is not editable, for the error message; None if it is.
        with_rounding: The tf_keras model with simulated int8 rounding and trained ranges that the model was
            loaded from; None if there is none.
        joined_outputs: The outputs of the original model, where this one has parts of them; else empty.
    """

    name: str
    handle: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    editable: bool = False
    why_not_editable: str | None = None
    with_rounding: Any = None
    joined_outputs: tuple[JoinedOutput, ...] = ()

    @property
    def tensor_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the inputs and of the outputs, in order, as in the ``.tflite`` signature."""
        return tuple(p.name for p in self.inputs), tuple(p.name for p in self.outputs)

    def joined(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Return the outputs of the original model.

        Args:
            outputs: Outputs of this one or of its file, each of shape (samples, ...).
        """
        return join_outputs(self.joined_outputs, self.tensor_names[1], outputs)

    def split_in_words(self) -> tuple[str, ...]:
        """Say of which parts an output is, for each output in parts."""
        return tuple(
            f"output '{one.name}' is split into {', '.join(one.source.names)}: concatenate them along axis "
            f"{one.source.axis}"
            for one in self.joined_outputs
            if isinstance(one.source, OutputParts)
        )

    def call(self, arrays: tuple[object, ...]) -> tuple[object, ...]:
        """Run the network in inference mode.

        Args:
            arrays: One array or tensor per input.

        Returns:
            One tensor per output.
        """
        if not hasattr(self.handle, "trainable_weights"):  # a SavedModel signature
            named = self.handle(
                **{
                    port.name: tensorflow().cast(x, port.dtype)
                    for port, x in zip(self.inputs, arrays, strict=True)
                }
            )
            return tuple(named[port.name] for port in self.outputs)
        outputs = self.handle(structured_inputs(self.handle, list(arrays)), training=False)
        return tuple(tensorflow().nest.flatten(outputs))

    def predict(
        self, arrays: tuple[np.ndarray, ...], batch_size: int | None = None
    ) -> tuple[np.ndarray, ...]:
        """Run the network on samples in batches.

        Args:
            arrays: One array per input, shape (samples, ...).
            batch_size: Samples per batch, by default as many as fit in about 512 MB. Ignored if the model's
                batch is fixed.

        Returns:
            One array per output of the original model, shape (samples, ...).
        """
        fixed = self.inputs[0].shape[0]
        if not fixed and is_functional(self.handle):  # others may read the size of the batch while traced
            self._trace_any_batch(arrays)
        size = fixed or batch_size or default_batch_size(arrays)
        count = len(arrays[0])
        parts: list[tuple[np.ndarray, ...]] = []
        for start in range(0, count, size):
            chunk = tuple(x[start : start + size] for x in arrays)
            missing = size - len(chunk[0]) if fixed else 0
            if missing:
                chunk = tuple(np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) for x in chunk)
            results = self._traced(*(tensorflow().constant(x) for x in chunk))
            parts.append(tuple(np.asarray(r)[: len(chunk[0]) - missing] for r in results))
        return self.joined(tuple(np.concatenate(column) for column in zip(*parts, strict=True)))

    @functools.cached_property
    def _traced(self) -> Any:
        """:meth:`call` as ``tf.function``, so that several predictions trace the network once."""
        return tensorflow().function(lambda *xs: self.call(xs), autograph=False, reduce_retracing=True)

    def _trace_any_batch(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Trace the network for batches of any size, so that a last batch of another size traces no more."""
        specs = (tensorflow().TensorSpec((None, *x.shape[1:]), x.dtype) for x in arrays)
        self._traced.get_concrete_function(*specs)

    def parameter_count(self) -> int:
        """Return the number of weights, trainable or not; 0 for a SavedModel without Keras layers."""
        return sum(int(np.prod(w.shape)) for w in getattr(self.handle, "weights", []))


def default_batch_size(arrays: tuple[np.ndarray, ...]) -> int:
    """Return the samples whose activations take about 512 MB, estimated from the size of the inputs.

    Args:
        arrays: Samples, one array per input.

    Returns:
        Samples per batch, from 1 to 256.
    """
    sample = sum(x.nbytes // max(1, len(x)) for x in arrays)
    return int(np.clip(BATCH_BYTES // max(1, sample), 1, 256))


def keras_network(model: KerasModel, name: str, editable: bool, why_not: str | None = None) -> Network:
    """Describe the inputs and outputs of a Keras 2 or Keras 3 model.

    Args:
        model: A functional model, or a subclassed one that was called or built.
        name: Name of the network.
        editable: True for a flat functional tf_keras model.
        why_not: Why it is not editable; None if it is.

    Raises:
        ModelError: The model is subclassed and has no known input shape.
    """
    if is_functional(model):
        named_inputs = zip(input_names(model), model.inputs, strict=True)
        named_outputs = zip(output_names(model), model.outputs, strict=True)
        inputs = tuple(_tensor_spec(name, t) for name, t in named_inputs)
        outputs = tuple(_tensor_spec(name, t) for name, t in named_outputs)
    else:
        inputs, outputs = _probe_subclassed(model)
    return Network(name, model, inputs, outputs, editable, why_not)


def network_runner() -> Callable[[KerasModel, tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]:
    """Return a function that runs Keras models on samples, and traces a model only if it ran another before.

    It serves comparisons of many weights of one model: tracing a large network takes seconds, running it on a
    few samples much less.
    """
    last: list[Network] = []

    def run(model: KerasModel, arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        if not last or last[0].handle is not model:
            last[:] = [keras_network(model, "model", True)]
        return last[0].predict(arrays)

    return run


def safe_name(name: str) -> str:
    """Return the name with the characters that TensorFlow accepts in a function's argument."""
    cleaned = re.sub(r"\W", "_", name)
    return cleaned if cleaned[:1].isalpha() else f"t_{cleaned}"


def _tensor_spec(name: str, tensor: Tensor) -> TensorSpec:
    dtype = getattr(tensor.dtype, "name", tensor.dtype)
    return TensorSpec(safe_name(name), tuple(tensor.shape), str(dtype))


def _probe_subclassed(model: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the inputs and outputs of a subclassed model, from the shape it was built or called with."""
    tf = tensorflow()
    shape = getattr(model, "_build_input_shape", None)
    if shape is None:
        config = getattr(model, "_build_shapes_dict", None) or {}
        shape = next(iter(config.values()), None)
    if shape is None or isinstance(shape, dict) or (shape and isinstance(shape[0], list | tuple)):
        raise ModelError(
            f"model '{model.name}' is subclassed and its input shape is unknown",
            "Call it once on a batch of data before passing it, or use the functional API.",
        )
    spec = tf.TensorSpec([None, *tuple(shape)[1:]], model.compute_dtype)
    outputs = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).outputs
    names = [f"output_{i}" for i in range(len(outputs))]
    return (TensorSpec("input_0", tuple(spec.shape), spec.dtype.name),), tuple(
        _tensor_spec(name, t) for name, t in zip(names, outputs, strict=True)
    )

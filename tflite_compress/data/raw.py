"""Samples in the types that a ``.tflite`` takes, with batch 1 per sample."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.data.samples import ArrayGroup, RawData, Samples, bind
from tflite_compress.data.sources import DataSource, Preprocess, ReadOptions, read
from tflite_compress.models.network import TensorSpec
from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.support.errors import DataError, ModelError
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature

SAMPLES = 8
MAX_SAMPLES = 100_000
MAX_ELEMENTS = 50_000_000  # of one random input, or of its output


@dataclass(frozen=True)
class FileData:
    """Data for a ``.tflite``.

    Attributes:
        real: One array of real numbers per input, shape (samples, ...).
        raw: The same, quantized to the tensors' types, shape (samples, 1, ...).
        labels: One array per output, shape (samples, ...), or None. Boxes are one array for all outputs.
        origin: The source, for reports.
        class_names: Names of the classes; empty if unknown.
        has_boxes: True if the labels are boxes; see :mod:`tflite_compress.data.boxes`.
    """

    real: Arrays
    raw: Arrays
    labels: Arrays | None
    origin: str
    class_names: tuple[str, ...] = ()
    has_boxes: bool = False

    def __len__(self) -> int:
        return len(self.raw[0]) if self.raw else 0

    def first(self, count: int) -> FileData:
        """Return the first ``count`` samples."""
        return self._take(np.arange(min(count, len(self))))

    def spaced(self, count: int) -> FileData:
        """Return ``count`` evenly spaced samples, or all if there are fewer."""
        return self._take(np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64))

    def _take(self, rows: np.ndarray) -> FileData:
        labels = None if self.labels is None else tuple(y[rows] for y in self.labels)
        real, raw = (tuple(x[rows] for x in arrays) for arrays in (self.real, self.raw))
        return replace(self, real=real, raw=raw, labels=labels)


def random_data(ports: Signature, count: int = SAMPLES, seed: int = 0) -> FileData:
    """Generate random inputs: the full range of quantized tensors, unit-normal floats, integers 0 or 1.

    Args:
        ports: Inputs and outputs of the file.
        count: Number of samples; fewer if the inputs are large.
        seed: Seed of the generator.

    Raises:
        ModelError: An input or output has over 50 million elements.
    """
    elements = max((math.prod(port.fixed_shape) for port in (*ports.inputs, *ports.outputs)), default=1)
    if elements > MAX_ELEMENTS:
        raise ModelError(
            f"an input or output has {elements:,} elements, too many for random inputs", "Give data."
        )
    count = max(1, min(count, MAX_ELEMENTS // max(1, elements)))
    rng = np.random.default_rng(seed)
    real: list[np.ndarray] = []
    for port in ports.inputs:
        shape = (count, *port.fixed_shape)
        if port.is_quantized:
            info = np.iinfo(port.dtype)
            steps = rng.integers(info.min, info.max, shape, port.dtype, endpoint=True)
            real.append(port.to_real(steps))
        elif port.dtype.kind == "f":
            real.append(rng.standard_normal(shape).astype(np.float32))
        else:
            real.append(rng.integers(0, 2, shape))
    raw = tuple(port.to_raw(x) for port, x in zip(ports.inputs, real, strict=True))
    return FileData(tuple(real), raw, None, f"random inputs (seed {seed})")


def file_data(
    source: DataSource, ports: Signature, preprocess: Preprocess = "none", resize: bool = False
) -> FileData:
    """Read a data source for a ``.tflite``. Of a source with a test part, only that part is used.

    Args:
        source: A data source; see :func:`tflite_compress.data.sources.read`.
        ports: Inputs and outputs of the file.
        preprocess: See :class:`ReadOptions`.
        resize: See :class:`ReadOptions`.

    Raises:
        DataError: The source is missing, malformed, or does not fit the file.
    """
    return from_samples(read_samples(source, ports, preprocess, resize), ports)


def read_samples(
    source: DataSource, ports: Signature, preprocess: Preprocess = "none", resize: bool = False
) -> Samples:
    """Read a data source for a ``.tflite`` as real numbers; see :func:`file_data`."""
    inputs = tuple(_tensor_spec(p) for p in ports.inputs)
    outputs = tuple(_tensor_spec(p) for p in ports.outputs)
    names = tuple(spec.name for spec in inputs)
    found = read(source, ReadOptions(inputs[0], preprocess, resize, MAX_SAMPLES, names, outputs))
    return bind(found.get("eval", next(iter(found.values()))), inputs, outputs)


def bind_inputs(x: ArrayGroup, ports: Signature) -> Arrays:
    """Check inputs against a file's.

    Args:
        x: One array, several in order, or a mapping by input name; each has shape (samples, ...).
        ports: Inputs and outputs of the file.

    Returns:
        One array of real numbers per input, shape (samples, ...).

    Raises:
        DataError: The inputs do not fit the file.
    """
    inputs = tuple(_tensor_spec(p) for p in ports.inputs)
    return bind(RawData(x, None, "x"), inputs, ()).inputs


def from_samples(samples: Samples, ports: Signature) -> FileData:
    """Quantize samples to the types of a file's inputs.

    Raises:
        DataError: The file has a fixed batch other than 1.
    """
    for port in ports.inputs:
        if port.fixed_shape[:1] not in ((1,), ()):
            raise DataError(
                f"input '{port.name}' takes batches of {port.fixed_shape[0]}",
                "Convert the model with batch 1.",
            )
    raw = tuple(port.to_raw(x)[:, np.newaxis] for port, x in zip(ports.inputs, samples.inputs, strict=True))
    facts = samples.origin, samples.class_names, samples.has_boxes
    return FileData(samples.inputs, raw, samples.labels, *facts)


def _tensor_spec(port: FileTensorSpec) -> TensorSpec:
    """Describe a file's input or output as one of a Keras model: real numbers, free batch."""
    dtype = "float32" if port.is_quantized or port.dtype.kind == "f" else port.dtype.name
    shape = tuple(None if d < 0 else d for d in port.shape[1:])
    return TensorSpec(port.name, (None, *shape), dtype)


def samples_for(
    ports: Signature,
    data: DataSource | None,
    preprocess: Preprocess,
    count: int = SAMPLES,
    resize: bool = False,
) -> tuple[FileData, bool]:
    """Read the user's samples, or generate random ones.

    Args:
        ports: Inputs and outputs of the file.
        data: The user's data source; None for random samples.
        preprocess: See :class:`ReadOptions`.
        count: Number of random samples.
        resize: See :class:`ReadOptions`.

    Returns:
        The samples, and True if they are the user's.

    Raises:
        DataError: The data does not fit the file.
    """
    if data is None:
        return random_data(ports, count), False
    return file_data(data, ports, preprocess, resize), True

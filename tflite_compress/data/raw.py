"""Samples in the form a ``.tflite`` itself takes: its own types, one batch a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_compress.data.samples import Samples, bind
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.models.network import TensorSpec
from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.support.errors import DataError, ModelError
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature

SAMPLES = 8
MAX_SAMPLES = 100_000
MAX_ELEMENTS = 50_000_000  # of one input or output, for inputs made up


@dataclass(frozen=True)
class FileData:
    """Data for a ``.tflite``.

    Attributes:
        real: One array for each input, shape (samples, ...), as real numbers.
        raw: The same in the tensors' types, shape (samples, batch 1, ...).
        labels: One array for each output, or None.
        origin: Where it came from.
        class_names: Names of the classes where known.
    """

    real: Arrays
    raw: Arrays
    labels: Arrays | None
    origin: str
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.raw[0]) if self.raw else 0

    def first(self, count: int) -> FileData:
        """The first so many samples."""
        labels = None if self.labels is None else tuple(y[:count] for y in self.labels)
        real, raw = (tuple(x[:count] for x in arrays) for arrays in (self.real, self.raw))
        return FileData(real, raw, labels, self.origin, self.class_names)


def random_data(ports: Signature, count: int = SAMPLES, seed: int = 0) -> FileData:
    """Seeded inputs over the whole range of quantized tensors, unit-normal floats, small whole numbers.

    Raises:
        ModelError: An input or output is so large that running the file with made-up data is no use.
    """
    elements = max((math.prod(port.fixed_shape) for port in (*ports.inputs, *ports.outputs)), default=1)
    if elements > MAX_ELEMENTS:
        raise ModelError(
            f"an input or output has {elements:,} numbers, more than is run with made-up data", "Give --data."
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


def file_data(source: Any, ports: Signature, preprocess: str = "none", resize: bool = False) -> FileData:
    """Read a data source for a ``.tflite``; a source with a test part gives that part.

    Args:
        source: ``.npz``, folder of images, or ``module:function``.
        ports: Inputs and outputs of the file.
        preprocess: See ``ReadOptions``.
        resize: See ``ReadOptions``.

    Raises:
        DataError: It is missing, malformed, or does not fit the file.
    """
    inputs = tuple(_port(p) for p in ports.inputs)
    outputs = tuple(_port(p) for p in ports.outputs)
    found = read(source, ReadOptions(inputs[0], preprocess, resize, MAX_SAMPLES))
    samples = bind(found.get("eval", next(iter(found.values()))), inputs, outputs)
    return from_samples(samples, ports)


def from_samples(samples: Samples, ports: Signature) -> FileData:
    """Samples in the order of the file's ports, quantized where it takes integers."""
    for port in ports.inputs:
        if port.fixed_shape[:1] not in ((1,), ()):
            raise DataError(
                f"input '{port.name}' takes batches of {port.fixed_shape[0]}",
                "Convert the model with batch 1.",
            )
    raw = tuple(port.to_raw(x)[:, np.newaxis] for port, x in zip(ports.inputs, samples.inputs, strict=True))
    return FileData(samples.inputs, raw, samples.labels, samples.origin, samples.class_names)


def _port(port: FileTensorSpec) -> TensorSpec:
    """The port as data for a Keras model would see it: real numbers, free batch."""
    dtype = "float32" if port.is_quantized or port.dtype.kind == "f" else port.dtype.name
    shape = tuple(None if d < 0 else d for d in port.shape[1:])
    return TensorSpec(port.name, (None, *shape), dtype)


def samples_for(
    ports: Signature, data: str | None, preprocess: str, count: int = SAMPLES
) -> tuple[FileData, bool]:
    """The user's samples, or seeded random ones; and whether they are the user's.

    Args:
        ports: The file's inputs.
        data: Where the user's are; None for random ones.
        preprocess: See ``compress``.
        count: How many random ones.

    Raises:
        DataError: The user's do not fit the file.
    """
    if data is None:
        return random_data(ports, count), False
    return file_data(data, ports, preprocess), True

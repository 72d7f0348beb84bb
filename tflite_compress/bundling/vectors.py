"""Test vectors: a few inputs with the outputs the device has to give."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_compress.data.raw import FileData
from tflite_compress.runtimes.compare import find_tolerances
from tflite_compress.runtimes.run_result import Arrays, Runtime
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.tensor_specs import Signature, read_signature

_SCALES = {"none": (0.0, 1.0), "unit": (0.0, 255.0), "symmetric": (127.5, 127.5)}


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a sample before the model: ``(value - mean) / std``.

    Attributes:
        name: ``none``, ``unit``, ``symmetric``, or the user's own ``module:function``.
        mean, std: See above.
    """

    name: str = "none"
    mean: float = 0.0
    std: float = 1.0

    @property
    def known(self) -> bool:
        """False for a function of the user's own, which only the user can port."""
        return self.name in _SCALES


def find_preprocessing(name: str) -> Preprocessing:
    """The preprocessing a ``--preprocess`` stands for."""
    return Preprocessing(name, *_SCALES.get(name, (0.0, 1.0)))


@dataclass(frozen=True)
class Vectors:
    """Inputs and expected outputs.

    Attributes:
        ports: The file's inputs and outputs.
        inputs: Raw, one array for each input, shape (vectors, ...).
        real: The same as real numbers.
        expected: Raw, one array for each output.
        tolerance: For each output the largest difference to accept, in steps for integers.
        origin: Where inputs and outputs come from.
    """

    ports: Signature
    inputs: Arrays
    real: Arrays
    expected: Arrays
    tolerance: tuple[float, ...]
    origin: str

    def __len__(self) -> int:
        return len(self.inputs[0])


def make_vectors(content: bytes, data: FileData, runtime: Runtime, looser: float = 1.0) -> Vectors:
    """Run a few samples through a runtime.

    Args:
        content: The ``.tflite``.
        data: The samples; all are taken.
        runtime: What computes the expected outputs.
        looser: Factor on the tolerance, for devices that compute in half precision.

    Raises:
        ModelError: The runtime refuses the model.
    """
    ports = read_signature(content)
    answer = runtime(content, data.raw)
    if answer.outputs is None:
        raise ModelError(f"{answer.runtime} computes no outputs")
    allowed = tuple(t * looser for t in find_tolerances(answer.outputs, ports))
    origin = f"{data.origin}; outputs by {answer.runtime}"
    return Vectors(ports, data.raw, data.real, answer.outputs, allowed, origin)


def encode_npz(vectors: Vectors) -> bytes:
    """The vectors as the single-file runner reads them."""
    arrays: dict[str, Any] = {f"input_{i}": x for i, x in enumerate(vectors.inputs)}
    arrays |= {f"expected_{i}": y for i, y in enumerate(vectors.expected)}
    arrays |= {f"tolerance_{i}": np.float64(t) for i, t in enumerate(vectors.tolerance)}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return _same_every_time(stream.getvalue())


def encode_json(vectors: Vectors) -> str:
    """The vectors as flat lists, for Kotlin."""
    rows = [
        {
            "inputs": [x[i].reshape(-1).tolist() for x in vectors.inputs],
            "expected": [y[i].reshape(-1).tolist() for y in vectors.expected],
        }
        for i in range(len(vectors))
    ]
    record = {"origin": vectors.origin, "tolerance": list(vectors.tolerance), "vectors": rows}
    return json.dumps(record) + "\n"


def _same_every_time(archive: bytes) -> bytes:
    """Rewrite a zip with fixed dates, so that equal arrays give equal bytes."""
    import zipfile

    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return stream.getvalue()

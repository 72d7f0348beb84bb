"""Test vectors: inputs with the outputs expected from the device."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tflite_compress.data.raw import FileData
from tflite_compress.data.sources import Preprocess
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.runtimes.tolerances import Rounding, find_tolerances
from tflite_compress.support.errors import ModelError
from tflite_compress.support.references import reference_name
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.tensor_specs import Signature, read_signature

_SCALES = {"none": (0.0, 1.0), "unit": (0.0, 255.0), "symmetric": (127.5, 127.5)}


@dataclass(frozen=True)
class Preprocessing:
    """How a sample is preprocessed before the model: ``(value - mean) / std``.

    Attributes:
        name: ``none``, ``unit``, ``symmetric``, or the user's ``module:function``.
        mean: Value to subtract; 0 for a user's function.
        std: Value to divide by; 1 for a user's function.
    """

    name: str = "none"
    mean: float = 0.0
    std: float = 1.0

    @property
    def is_known(self) -> bool:
        """False for a user's function, which only the user can port to the device."""
        return self.name in _SCALES


def find_preprocessing(preprocess: Preprocess) -> Preprocessing:
    """Return the preprocessing that a setting names.

    Args:
        preprocess: ``none``, ``unit``, ``symmetric``, or a function, also as ``module:function``.
    """
    name = reference_name(preprocess)
    return Preprocessing(name, *_SCALES.get(name, (0.0, 1.0)))


@dataclass(frozen=True)
class Vectors:
    """Inputs and expected outputs.

    Attributes:
        signature: The file's inputs and outputs.
        inputs: One raw array per input, shape (vectors, ...), in the input's dtype.
        real: The inputs as real numbers, shape (vectors, ...).
        expected: One raw array per output, shape (vectors, ...), in the output's dtype. Each vector starts
            from a fresh state.
        sequence: Outputs of the vectors as one sequence, with the state kept from one to the next. None if
            the model keeps no state.
        tolerance: Maximum accepted difference per output; in steps for integer outputs.
        origin: Where inputs and outputs come from.
        result: The result of the runtime that computed the outputs.
    """

    signature: Signature
    inputs: Arrays
    real: Arrays
    expected: Arrays
    sequence: Arrays | None
    tolerance: tuple[float, ...]
    origin: str
    result: RunResult

    def __len__(self) -> int:
        return len(self.inputs[0])


def make_vectors(content: bytes, data: FileData, runtime: Runtime) -> Vectors:
    """Run a few samples through a runtime.

    Args:
        content: The ``.tflite``.
        data: The samples; all are used.
        runtime: The runtime that computes the expected outputs.

    Raises:
        ModelError: The runtime refuses the model.
    """
    signature = read_signature(content)
    result = runtime(content, data.raw)
    if result.outputs is None:
        raise ModelError(f"{result.runtime} computes no outputs", "Use another runtime.")
    allowed = allowed_differences(content, result.outputs, "same kernels")
    origin = f"{data.origin}; outputs by {result.runtime}"
    sequence = _select_sequence(result.outputs, result.sequence)
    return Vectors(signature, data.raw, data.real, result.outputs, sequence, allowed, origin, result)


def allowed_differences(content: bytes, expected: Arrays, rounding: Rounding) -> tuple[float, ...]:
    """Return the largest difference per output that rounding explains; in steps for integer outputs.

    Args:
        content: The ``.tflite``.
        expected: The expected raw outputs.
        rounding: How the device's kernels round, compared with those that computed the outputs.
    """
    tolerances = find_tolerances(read_tree(content), expected, rounding)
    return tuple(float(t.values.max(initial=0)) for t in tolerances)


def _select_sequence(fresh: Arrays, sequence: Arrays | None) -> Arrays | None:
    """Return the outputs of the sequence, or None if they equal those from a fresh state."""
    if sequence is None or all(np.array_equal(a, b) for a, b in zip(fresh, sequence, strict=True)):
        return None
    return sequence


def encode_npz(vectors: Vectors) -> bytes:
    """Return the vectors as the ``.npz`` that the single-file runner reads."""
    arrays = {f"input_{i}": x for i, x in enumerate(vectors.inputs)}
    arrays |= {f"expected_{i}": y for i, y in enumerate(vectors.expected)}
    arrays |= {f"sequence_{i}": y for i, y in enumerate(vectors.sequence or ())}
    arrays |= {f"tolerance_{i}": np.asarray(t) for i, t in enumerate(vectors.tolerance)}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return _normalize_zip(stream.getvalue())


def encode_json(vectors: Vectors, tolerances: Mapping[str, tuple[float, ...]]) -> str:
    """Return the vectors as JSON with flat lists, for Kotlin.

    LiteRT's ``CompiledModel`` keeps the state between runs: for models with a state the outputs are those of
    the vectors as one sequence.

    Args:
        vectors: The vectors.
        tolerances: Largest accepted difference per output, by accelerator.
    """
    expected = vectors.expected if vectors.sequence is None else vectors.sequence
    rows = [
        {
            "inputs": [x[i].reshape(-1).tolist() for x in vectors.inputs],
            "expected": [y[i].reshape(-1).tolist() for y in expected],
        }
        for i in range(len(vectors))
    ]
    state = "fresh" if vectors.sequence is None else "sequence"
    record = {
        "origin": vectors.origin,
        "state": state,
        "tolerance": {name: list(values) for name, values in tolerances.items()},
        "vectors": rows,
    }
    return json.dumps(record) + "\n"


def _normalize_zip(archive: bytes) -> bytes:
    """Rewrite a zip archive with fixed dates, so that equal arrays give equal bytes."""
    import zipfile

    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return stream.getvalue()

"""A ``.tflite`` in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.api.library_call import ProgressCallback
from tflite_compress.support.errors import ModelError, UsageError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.checking.verdict import Verdict
    from tflite_compress.data.samples import ArrayGroup
    from tflite_compress.data.sources import DataSource, Preprocess
    from tflite_compress.inspection.inspect_file import Inspection
    from tflite_compress.runtimes.compare import Comparison
    from tflite_compress.tflite.tensor_specs import Signature
    from tflite_compress.timing.benchmark import Benchmark
    from tflite_compress.timing.profile import Profile


@dataclass(frozen=True, repr=False)
class TFLiteModel:
    """A ``.tflite`` in memory: the result of :func:`convert`, or a file that was loaded.

    Attributes:
        content: The file's bytes.
        name: Name of the model, for file names and messages.
        notes: What a user should know about the conversion.

    Examples:
        >>> import tflite_compress as tc
        >>> lite = tc.convert("examples/digits.keras", tc.Float32())
        >>> lite.check("raspberry-pi-4").fits
        True
    """

    content: bytes
    name: str = "model"
    notes: tuple[Note, ...] = ()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TFLiteModel:
        """Read a ``.tflite`` and validate it.

        Args:
            path: The file.

        Raises:
            ModelError: The file is missing, is not a ``.tflite``, or is damaged.
        """
        from tflite_compress.tflite.integrity import read_validated

        return cls(read_validated(Path(path)), Path(path).stem)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file. An existing file is replaced in one step.

        Args:
            path: Where to write it.

        Returns:
            The path.

        Raises:
            OutputError: The file cannot be written.
        """
        from tflite_compress.support.staging import replace_file

        replace_file(Path(path), self.content)
        return Path(path)

    def predict(self, x: ArrayGroup) -> np.ndarray:
        """Run the model on samples in LiteRT, on all cores.

        Args:
            x: Samples, shape (samples, ...), as real numbers: an integer model quantizes them itself. A
                mapping by input name, or a list, for several inputs.

        Returns:
            The output, shape (samples, ...), float32 for quantized outputs.

        Raises:
            DataError: The samples do not fit the inputs.
            ConversionError: The runtime refuses the file.
            UsageError: The model has several outputs; use :meth:`predict_all`.
        """
        outputs = self.predict_all(x)
        if len(outputs) != 1:
            raise UsageError(
                f"the model has {len(outputs)} outputs: {', '.join(outputs)}", "Call predict_all(x)."
            )
        return next(iter(outputs.values()))

    def predict_all(self, x: ArrayGroup) -> dict[str, np.ndarray]:
        """Run a model with several outputs; see :meth:`predict`.

        Args:
            x: Samples; see :meth:`predict`.

        Returns:
            Each output by its name, shape (samples, ...).

        Raises:
            DataError: The samples do not fit the inputs.
            ConversionError: The runtime refuses the file.
        """
        from tflite_compress.data.raw import bind_inputs
        from tflite_compress.runtimes.litert import predict

        signature = self.signature
        inputs, outputs = (tuple(s.name for s in side) for side in (signature.inputs, signature.outputs))
        arrays = predict(self.content, bind_inputs(x, signature), inputs, outputs)
        return dict(zip(outputs, arrays, strict=True))

    @property
    def signature(self) -> Signature:
        """Inputs and outputs with names, shapes, dtypes and quantization."""
        from tflite_compress.tflite.tensor_specs import read_signature

        return read_signature(self.content)

    def inspect(self) -> Inspection:
        """Return operators, types, weights and bytes per part; see :func:`tflite_compress.inspect`."""
        from tflite_compress.api.file_functions import inspect

        return inspect(self)

    def check(self, device: str) -> Verdict:
        """Check the model against a device; see :func:`tflite_compress.check` for limits."""
        from tflite_compress.api.file_functions import check

        return check(self, device)

    def verify(
        self,
        runtimes: Sequence[str] = ("litert", "tflm"),
        *,
        data: DataSource | None = None,
        preprocess: Preprocess = "none",
    ) -> list[Comparison]:
        """Run the model on several runtimes and compare; see :func:`tflite_compress.verify`."""
        from tflite_compress.api.file_functions import verify

        return verify(self, runtimes, data=data, preprocess=preprocess)

    def benchmark(self, *others: TFLiteModel, seconds: float = 2.0) -> Benchmark:
        """Measure latency on this machine, others interleaved; see :func:`tflite_compress.benchmark`."""
        from tflite_compress.api.timing_functions import benchmark

        return benchmark(self, *others, seconds=seconds)

    def profile(self, *, seconds: float = 5.0, progress: ProgressCallback | None = None) -> Profile:
        """Measure the latency of each operator; see :func:`tflite_compress.profile`."""
        from tflite_compress.api.timing_functions import profile

        return profile(self, seconds=seconds, progress=progress)

    def __repr__(self) -> str:
        return f"<TFLiteModel: {self.name}, {len(self.content):,} bytes, {_ports(self)}>"

    def _repr_html_(self) -> str:
        """Return the model as one line of HTML, for notebooks."""
        return f"<b>{escape(self.name)}.tflite</b>: {len(self.content):,} bytes, {escape(_ports(self))}"


def _ports(model: TFLiteModel) -> str:
    try:
        signature = model.signature
    except ModelError as error:
        return error.message[:200]
    sides = (
        [f"{s.dtype.name}{list(s.shape)}" for s in side] for side in (signature.inputs, signature.outputs)
    )
    return " -> ".join(", ".join(side[:4]) for side in sides)

"""The two files of a bundle whose model ends in operators that the GPU refuses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.bundling.bundle_registry import BundleJob
from tflite_compress.bundling.vectors import Vectors
from tflite_compress.runtimes.gpu_driver import installed_driver
from tflite_compress.runtimes.gpu_plan import APART, AT_LOADING, GpuPlan, ask_accelerator
from tflite_compress.runtimes.gpu_table import look_up
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.support.errors import CompressError
from tflite_compress.support.notes import Note
from tflite_compress.tflite.split_tail import SplitFile, split_tail
from tflite_compress.tflite.tensor_specs import read_signature


@dataclass(frozen=True)
class GpuParts:
    """A file in two: the GPU computes the whole head, and the CPU the tail.

    Attributes:
        split: Both files.
        refused: Names of the operators that the GPU refuses, in the order of the file.
        source: Who said what the GPU computes.
    """

    split: SplitFile
    refused: tuple[str, ...]
    source: str

    @property
    def names(self) -> str:
        """The refused operators, by kind with their number."""
        kinds = Counter(self.refused)
        return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in kinds.items())

    @property
    def note(self) -> Note:
        """What was split, and why."""
        text = (
            "the bundle has two files: the GPU computes all operators of the first, and the CPU the rest, "
            f"because the GPU refuses {self.names}. "
            f"{self.split.passed_bytes:,} bytes go from one to the other per inference ({self.source}). "
            "--keep-graph keeps one file"
        )
        return Note("tail-split", text)


def find_parts(job: BundleJob, content: bytes, vectors: Vectors) -> GpuParts | None:
    """Split a file where the device's GPU refuses its post-processing, and say so.

    Args:
        job: What the bundle is made from.
        content: The ``.tflite``.
        vectors: Its test vectors: both files together must give their outputs, bit for bit, on the CPU.

    Returns:
        The files. None for a device without a GPU, with ``keep_graph``, if the GPU computes all of the file,
        and if no small tail can be split off.
    """
    if job.keep_graph or not job.device.computes_on_gpu:
        return None
    parts = split_for_gpu(content, vectors)
    if parts is not None:
        job.say(parts.note)
    return parts


def split_for_gpu(content: bytes, vectors: Vectors) -> GpuParts | None:
    """Split a file where the GPU refuses its post-processing; see :func:`find_parts`."""
    if look_up(content).is_whole:
        return None
    plan = _ask(content)
    if plan.is_whole:
        return None
    taken = [bool(op.on_gpu) or op.reason in (APART, AT_LOADING) for op in plan.operators]
    split = split_tail(content, taken, plan.crossing_bytes)
    if split is None or not _ask(split.head).is_whole:
        return None
    try:
        found = run_parts(split, vectors.inputs, host_runtime(seconds=0)).outputs
    except CompressError:
        return None
    same = found is not None and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in zip(found, vectors.expected, strict=True)
    )
    refused = tuple(op.name for op, is_taken in zip(plan.operators, taken, strict=True) if not is_taken)
    return GpuParts(split, refused, plan.source) if same else None


def run_parts(split: SplitFile, inputs: Arrays, head_runtime: Runtime) -> RunResult:
    """Run both files one after the other, the tail on the CPU of this machine.

    Args:
        split: The files.
        inputs: Raw inputs, shape (samples, ...).
        head_runtime: Runs the head.

    Returns:
        The head's result with the outputs of the undivided file.

    Raises:
        ModelError: A runtime refuses its file.
    """
    first = head_runtime(split.head, inputs)
    if first.outputs is None:
        return first
    second = host_runtime(seconds=0)(split.tail, first.outputs[: split.passed])
    sides = {"head": first.outputs, "tail": second.outputs or ()}
    outputs = tuple(sides[source.part][source.place] for source in split.outputs)
    return replace(first, outputs=outputs)


def python_values(parts: GpuParts, head_path: str, tail_path: str) -> dict[str, object]:
    """Return what the template of ``run_both.py`` inserts.

    Args:
        parts: Both files.
        head_path: Path of the head in the bundle.
        tail_path: Path of the tail in the bundle.
    """
    (first, *_) = read_signature(parts.split.head).inputs
    return {
        "head_path": head_path,
        "tail_path": tail_path,
        "passed": parts.split.passed,
        "outputs": [(source.part, source.place) for source in parts.split.outputs],
        "shape": first.fixed_shape,
        "dtype": first.dtype.name,
    }


def _ask(content: bytes) -> GpuPlan:
    """Return the accelerator's answer; the table's if it is not set up, or refuses the whole file."""
    if installed_driver() is None:
        return look_up(content)
    try:
        return ask_accelerator(content)
    except CompressError:
        return look_up(content)

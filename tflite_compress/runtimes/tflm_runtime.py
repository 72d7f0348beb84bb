"""TFLite Micro as a runtime: outputs, tensor arena, and the parts of the arena."""

from __future__ import annotations

import contextlib
import contextvars
import os
import re
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from tflite_compress.runtimes.arena import CHILD, ArenaSize, estimate_arena, find_smallest_arena
from tflite_compress.runtimes.by_name import Remote, register_runtime
from tflite_compress.runtimes.isolated import ChildError, job_folder, may_keep_state, run_child
from tflite_compress.runtimes.micro_child import OUTPUTS
from tflite_compress.runtimes.refusals import explain_crash, explain_refusal
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.kernel_sets import KERNELS, Kernels
from tflite_compress.tflite.scratch import measure_kernel_memory

ARENA_ROUNDING = 1024


@dataclass(frozen=True)
class MicroRun:
    """What TFLite Micro computed.

    Attributes:
        outputs: One raw array per output, shape (samples, ...), each sample from a fresh state.
        sequence: Outputs of the samples as one sequence; None if the file keeps no state.
        log: The interpreter's log.
    """

    outputs: Arrays
    sequence: Arrays | None
    log: str


@register_runtime("tflm", "tflite-micro")
def _make(detail: str | None, remote: Remote) -> Runtime:
    return micro_runtime


def micro_runtime(content: bytes, inputs: Arrays) -> RunResult:
    """Run a model in TFLite Micro on this machine.

    Args:
        content: A ``.tflite``.
        inputs: One raw array per input, shape (samples, ...), in the input's dtype.

    Returns:
        Outputs and arena sizes in bytes: measured here (``arena``), its head and tail, and the size to
        reserve on a 32-bit target with optimized kernels (``arena to reserve``).

    Raises:
        ModelError: TFLite Micro refuses the model, or crashes on it.
        TimeUsedError: The time budget was used before it had run.
    """
    with ThreadPoolExecutor(1) as pool:  # both wait for child processes, so they wait at the same time
        context = contextvars.copy_context()  # the time budget of child processes
        search = pool.submit(context.run, find_smallest_arena, content, estimate_arena(content))
        run = run_micro(content, inputs)
        smallest = search.result()
    if smallest is None:
        raise ModelError("TFLite Micro does not allocate the model's tensors", "Try a smaller model.")
    name = f"tflite-micro {version('tflite-micro')} (reference kernels)"
    costs = measure_arena(content, smallest, read_allocations(run.log))
    return RunResult(name, run.outputs, costs, sequence=run.sequence)


def run_micro(content: bytes, inputs: Arrays) -> MicroRun:
    """Run a file in a child process, with an arena that is larger than needed.

    Args:
        content: A ``.tflite``.
        inputs: One raw array per input in the file's order, shape (samples, ...).

    Raises:
        ModelError: TFLite Micro refuses the model, or crashes on it.
    """
    (found,) = run_micro_files([(content, inputs)])
    if isinstance(found, ModelError):
        raise found
    return found


def run_micro_files(files: Sequence[tuple[bytes, Arrays]]) -> list[MicroRun | ModelError]:
    """Run files in one child process, which takes less time than one for each.

    Args:
        files: Each file with its inputs; see :func:`run_micro`.

    Returns:
        What was computed for each file, up to the first that TFLite Micro refuses or crashes on.
    """
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(job_folder(*file)) for file in files]
        command = [*CHILD, "run"]
        for folder, (content, _) in zip(folders, files, strict=True):
            command += [str(folder), str(estimate_arena(content)), str(int(may_keep_state(content)))]
        crash = None
        try:
            done = run_child(
                command, "TFLite Micro", environment={**os.environ, "PYTHONPATH": _search_path()}
            )
            log = done.stderr
        except ChildError as error:
            crash, log = error, error.log
        found: list[MicroRun | ModelError] = []
        for folder, (content, _) in zip(folders, files, strict=True):
            if not (folder / OUTPUTS).exists():
                return [*found, _explain(content, log, crash)]
            with np.load(folder / OUTPUTS) as archive:
                sequence = _numbered(archive, "sequence") or None
                found.append(MicroRun(_numbered(archive, "output"), sequence, log))
    return found


def _explain(content: bytes, log: str, crash: ChildError | None) -> ModelError:
    """Return why a file was not run."""
    if crash is not None:
        return explain_crash(content, crash, "TFLite Micro")
    return ModelError(f"TFLite Micro refuses the model: {explain_refusal(content, log, 'TFLite Micro')}")


def _numbered(archive: Mapping[str, np.ndarray], name: str) -> Arrays:
    """Return the arrays ``name_0``, ``name_1``, ..."""
    count = sum(key.startswith(f"{name}_") for key in archive)
    return tuple(archive[f"{name}_{i}"] for i in range(count))


def measure_arena(content: bytes, found: ArenaSize, parts: dict[str, int]) -> tuple[Measurement, ...]:
    """Return the sizes of the arena.

    The smallest arena is exact for this 64-bit build. A 32-bit build needs less for its structures. Optimized
    kernels need scratch memory in addition, computed from CMSIS-NN's documented sizes.
    """
    here = "bisection on the interpreter, 64-bit build, reference kernels"
    if found.refused_bytes is not None:
        here = f"upper bound, the time budget ended the {here}"
    low = None if found.refused_bytes is None else float(found.refused_bytes)
    high = None if low is None else float(found.bytes)
    costs = [Measurement("arena", found.bytes, "bytes", "measured", here, low, high)]
    costs += [
        Measurement(f"arena {part}", size, "bytes", "measured", f"{what}, reported by the interpreter")
        for part, size, what in (
            ("head", parts.get("head", 0), "activations and scratch"),
            ("tail", parts.get("tail", 0), "structures that stay"),
        )
        if parts
    ]
    costs.append(reserve_arena(content, found.bytes))
    return tuple(costs)


def reserve_arena(content: bytes, smallest: float, kernels: Kernels | None = None) -> Measurement:
    """Return the arena to reserve on a 32-bit target with CMSIS-NN's kernels.

    Args:
        content: A ``.tflite``.
        smallest: The smallest arena with reference kernels in bytes.
        kernels: Which kernels the core runs; those that need most if None.
    """
    candidates = KERNELS if kernels is None else (kernels,)
    found = [measure_kernel_memory(content, each) for each in candidates]
    extra = max(found, key=lambda memory: memory.scratch + memory.kept)
    size = int(smallest) + extra.scratch + extra.kept
    reserve = -(-size // ARENA_ROUNDING) * ARENA_ROUNDING
    kept = f" and {extra.kept:,} of kernel sums" if extra.kept else ""
    added = f"{extra.scratch:,} bytes of CMSIS-NN scratch{kept}"
    how = f"smallest arena plus {added}, rounded up; 32-bit needs less"
    return Measurement("arena to reserve", reserve, "bytes", "estimated", how, smallest * 0.75, reserve)


def read_allocations(log: str) -> dict[str, int]:
    """Return head and tail bytes from the output of ``print_allocations``."""
    found = {}
    for part in ("head", "tail"):
        match = re.search(rf"Arena allocation {part} (\d+) bytes", log)
        if match:
            found[part] = int(match.group(1))
    return found


def _search_path() -> str:
    """Return this process's module path, so that the child finds the same packages."""
    return os.pathsep.join(path for path in sys.path if path)

"""Time contenders interleaved: each in its own processes, round by round."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tflite_compress.runtimes.arena import estimate_arena
from tflite_compress.runtimes.refusals import RuntimeName, explain_refusal
from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress
from tflite_compress.timing.machine import cpu_seconds, find_disturbances, measure_spin
from tflite_compress.timing.stats import Summary, has_settled, summarize
from tflite_compress.timing.timed_process import Child, Loaded, RefusalError

Kernels = Literal["xnnpack", "no-delegate", "reference", "tflm"]
PROCESSES = 3
BLOCK_MS = 8.0  # much longer than a process switch, much shorter than typical disturbances
MAX_IN_BLOCK = 200
MIN_ROUNDS = 6
WARM_UP_SHARE = 0.5


@dataclass(frozen=True)
class Contender:
    """A file to time with its settings.

    Attributes:
        name: The file, as the user gave it.
        content: The file's bytes.
        inputs: One raw array per input, shape (samples, ...), in the input's dtype.
        kernels: ``xnnpack`` (LiteRT's default), ``no-delegate`` (its built-in optimized kernels),
            ``reference`` (its reference kernels) or ``tflm``.
        threads: CPU threads.
    """

    name: str
    content: bytes
    inputs: Arrays
    kernels: Kernels = "xnnpack"
    threads: int = 1


@dataclass(frozen=True, repr=False)
class Timing:
    """The timing of a contender.

    Attributes:
        contender: The file with its settings.
        loaded: Loading and first inference, the median over processes.
        summary: Statistics of the runs after the warm-up.
        times: Times in ms by process and round.
        warm_up_runs: Runs of the warm-up, the median over processes.
        is_steady: False if run times were still falling when the warm-up ended.
    """

    contender: Contender
    loaded: Loaded
    summary: Summary
    times: tuple[tuple[np.ndarray, ...], ...]
    warm_up_runs: int
    is_steady: bool

    def __repr__(self) -> str:
        c = self.contender
        median = self.summary.median_ms
        settings = f"{c.name[-100:]!r}, {c.kernels}, {c.threads} threads"
        return f"<Timing of {settings}: {median.value:.4g} ms, {self.summary.runs} runs>"


@dataclass(frozen=True)
class _Run:
    """The timing of one process."""

    loaded: Loaded
    rounds: tuple[np.ndarray, ...]
    warm_up_runs: int
    is_steady: bool


def time_contenders(
    contenders: Sequence[Contender], seconds: float, progress: Progress, processes: int = PROCESSES
) -> tuple[list[Timing | ModelError], tuple[Note, ...]]:
    """Time contenders interleaved.

    Each contender runs in several processes, one after the other. One process of every contender is alive
    at a time; they run alternately for a few milliseconds each, in an order that is reversed every round.

    Args:
        contenders: The files with their settings.
        seconds: Approximate time to measure each, over all its processes.
        progress: Where to report progress.
        processes: Number of processes per contender.

    Returns:
        The timing of each contender, or the error that says why there is none; notes on the machine.
    """
    spins = [measure_spin()]
    runs: list[list[_Run] | ModelError] = [[] for _ in contenders]
    busy, own, start = cpu_seconds(), _own_cpu(), time.perf_counter()
    with progress.step(f"timing {len(contenders)} contender{'s' * (len(contenders) > 1)}, interleaved"):
        for _ in range(processes):
            with contextlib.ExitStack() as stack:
                _generation(contenders, seconds / processes, runs, stack)
    elapsed, after = time.perf_counter() - start, cpu_seconds()
    spins.append(measure_spin())
    others = None if busy is None or after is None else (after - busy - (_own_cpu() - own)) / elapsed
    found = [r if isinstance(r, ModelError) else _timing(c, r) for c, r in zip(contenders, runs, strict=True)]
    return found, find_disturbances(np.concatenate(spins), others)


@contextlib.contextmanager
def start_contender(contender: Contender, batch: int | None = None) -> Iterator[tuple[Child, Loaded]]:
    """Start a process and load a contender in it.

    Args:
        contender: The file with its settings.
        batch: Samples per run; None for the file's own batch.

    Yields:
        The process, and the time and memory of loading.

    Raises:
        ModelError: The runtime refuses the file.
    """
    what = "TFLite Micro" if contender.kernels == "tflm" else "LiteRT"
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as folder, Child(what) as child:
        yield child, load_into(child, contender, Path(folder), batch)


def load_into(child: Child, contender: Contender, folder: Path, batch: int | None = None) -> Loaded:
    """Load a contender into a process; models loaded earlier stay loaded.

    Args:
        child: The process.
        contender: The file with its settings.
        folder: Folder for its files; a new one per contender, kept while the process lives.
        batch: Samples per run; None for the file's own batch.

    Raises:
        ModelError: The runtime refuses the file.
    """
    (folder / "model.tflite").write_bytes(contender.content)
    stream = io.BytesIO()
    np.savez(stream, **{f"input_{i}": x[:1] for i, x in enumerate(contender.inputs)})  # type: ignore[arg-type]
    (folder / "inputs.npz").write_bytes(stream.getvalue())
    micro = contender.kernels == "tflm"
    try:
        return child.load(
            path=str(folder / "model.tflite"),
            inputs=str(folder / "inputs.npz"),
            kernels=contender.kernels,
            threads=contender.threads,
            arena_bytes=estimate_arena(contender.content) if micro else 0,
            batch=batch,
        )
    except RefusalError as error:
        name: RuntimeName = "TFLite Micro" if micro else "LiteRT"
        reason = explain_refusal(contender.content, f"{error.log}\n{child.read_log()}", name)
        raise ModelError(f"{name} refuses the model: {reason}") from error


def _generation(
    contenders: Sequence[Contender],
    seconds: float,
    runs: list[list[_Run] | ModelError],
    stack: contextlib.ExitStack,
) -> None:
    """Run one process of each contender: load, warm up, then time interleaved."""
    alive: dict[int, tuple[Child, Loaded, int, int, bool]] = {}
    for index, contender in enumerate(contenders):
        if isinstance(runs[index], ModelError):
            continue
        try:
            child, loaded = stack.enter_context(start_contender(contender))
            alive[index] = (child, loaded, *_warm_up(child, seconds * WARM_UP_SHARE))
        except ModelError as error:
            runs[index] = error
    rounds: dict[int, list[np.ndarray]] = {index: [] for index in alive}
    ends, count = time.perf_counter() + seconds * len(alive), 0
    while alive and (count < MIN_ROUNDS or time.perf_counter() < ends):
        for index in list(alive)[:: 1 if count % 2 == 0 else -1]:
            child, _, block, _, _ = alive[index]
            rounds[index].append(np.asarray(child.run(block)))
        count += 1
    for index, (_, loaded, _, warm, steady) in alive.items():
        done = runs[index]
        assert isinstance(done, list)
        done.append(_Run(loaded, tuple(rounds[index]), warm, steady))


def _warm_up(child: Child, limit_s: float) -> tuple[int, int, bool]:
    """Run until the times no longer fall; return runs per block, warm-up runs, and whether times settled."""
    ends = time.perf_counter() + limit_s
    recent: list[float] = []
    runs, block = 0, 1
    while len(recent) < 10 or (not has_settled(recent) and time.perf_counter() < ends):
        times = child.run(block)
        runs += block
        recent.append(float(np.median(times)))
        block = max(1, min(MAX_IN_BLOCK, round(BLOCK_MS / max(recent[-1], 1e-3))))
    return block, runs, has_settled(recent)


def _timing(contender: Contender, runs: list[_Run]) -> Timing:
    times = tuple(run.rounds for run in runs)
    middle = [
        float(np.median([getattr(run.loaded, name) for run in runs]))
        for name in ("load_ms", "first_ms", "peak_bytes", "model_bytes")
    ]
    loaded = Loaded(middle[0], middle[1], int(middle[2]), int(middle[3]))
    warm = int(np.median([run.warm_up_runs for run in runs]))
    return Timing(contender, loaded, summarize(times), times, warm, all(run.is_steady for run in runs))


def _own_cpu() -> float:
    """Return the CPU seconds of this process and of its ended children."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = os.times()
    return ended.ru_utime + ended.ru_stime + times.user + times.system

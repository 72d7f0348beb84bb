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
from tflite_compress.runtimes.isolated import children_within
from tflite_compress.runtimes.refusals import RuntimeName, explain_refusal
from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.support.errors import CompressError, ModelError, TimeUsedError
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Advance, Progress
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
from tflite_compress.timing.machine import cpu_seconds, find_disturbances, measure_spin
from tflite_compress.timing.stats import Summary, has_settled, summarize
from tflite_compress.timing.timed_process import Child, Loaded, RefusalError

Kernels = Literal["xnnpack", "no-delegate", "reference", "tflm"]
PROCESSES = 3
BLOCK_MS = 8.0  # much longer than a process switch, much shorter than typical disturbances
MAX_IN_BLOCK = 200
MIN_ROUNDS = 6
WARM_UP_SHARE = 0.5
FOR_ROUNDS = 0.4  # of the time budget; the rest is for loading and warming up


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
    contenders: Sequence[Contender],
    seconds: float,
    progress: Progress,
    processes: int = PROCESSES,
    budget: TimeBudget = NO_BUDGET,
) -> tuple[list[Timing | CompressError], tuple[Note, ...]]:
    """Time contenders interleaved.

    Each contender runs in several processes, one after the other. One process of every contender is alive
    at a time; they run alternately for a few milliseconds each, in an order that is reversed every round.

    Args:
        contenders: The files with their settings.
        seconds: Approximate time to measure each, over all its processes.
        progress: Where to report progress.
        processes: Number of processes per contender.
        budget: When it is used, what was timed by then is kept: fewer processes, or fewer rounds of the
            first.

    Returns:
        The timing of each contender, or the error that says why there is none; notes on the machine.
    """
    spins = [measure_spin()]
    runs: list[list[_Run] | CompressError] = [[] for _ in contenders]
    seconds = min(seconds, FOR_ROUNDS * budget.left / max(1, len(contenders)))
    busy, own, start = cpu_seconds(), _own_cpu(), time.perf_counter()
    title = f"timing processes of {len(contenders)} contender{'s' * (len(contenders) > 1)}, interleaved"
    with progress.step(title, processes) as advance:
        _run_processes(contenders, seconds / processes, runs, processes, budget, advance)
    elapsed, after = time.perf_counter() - start, cpu_seconds()
    spins.append(measure_spin())
    others = None if busy is None or after is None else (after - busy - (_own_cpu() - own)) / elapsed
    found = [
        r if isinstance(r, CompressError) else _timing(c, r) for c, r in zip(contenders, runs, strict=True)
    ]
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


def _run_processes(
    contenders: Sequence[Contender],
    seconds: float,
    runs: list[list[_Run] | CompressError],
    processes: int,
    budget: TimeBudget,
    advance: Advance,
) -> None:
    """Run one process of each contender after the other, and add to ``runs`` what each measured.

    The first processes get the whole budget: where it ends them, the rounds that are complete are kept. Later
    ones that do not finish are left out, because contenders are compared within rounds.
    """
    for number in range(processes):
        with contextlib.ExitStack() as stack:
            found = _generation(contenders, seconds, runs, budget, stack)
        if number and any(isinstance(run, TimeUsedError) for run in found.values()):
            budget.cut(f"timed in {number} of {processes} processes")
            break
        for index, run in found.items():
            done = runs[index]
            if isinstance(run, CompressError):
                runs[index] = run
            elif isinstance(done, list):
                done.append(run)
        advance(1)
    late = sum(isinstance(run, TimeUsedError) for run in runs)
    if late:
        budget.cut(f"{late} of {len(runs)} contenders not timed")


def _generation(
    contenders: Sequence[Contender],
    seconds: float,
    runs: Sequence[list[_Run] | CompressError],
    budget: TimeBudget,
    stack: contextlib.ExitStack,
) -> dict[int, _Run | CompressError]:
    """Run one process of each contender that is not refused: load, warm up, then time interleaved."""
    alive: dict[int, tuple[Child, Loaded, int, int, bool]] = {}
    found: dict[int, _Run | CompressError] = {}
    loading = budget.share(1 - FOR_ROUNDS)
    for index, contender in enumerate(contenders):
        if isinstance(runs[index], CompressError):
            continue
        try:
            with children_within(loading):
                child, loaded = stack.enter_context(start_contender(contender))
                alive[index] = (child, loaded, *_warm_up(child, seconds * WARM_UP_SHARE, loading))
        except (ModelError, TimeUsedError) as error:
            found[index] = error
    rounds = _time_rounds({index: (entry[0], entry[2]) for index, entry in alive.items()}, seconds, budget)
    for index, (_, loaded, _, warm, steady) in alive.items():
        late = TimeUsedError("no round was timed before the time budget was used", "Give it more time.")
        found[index] = _Run(loaded, tuple(rounds[index]), warm, steady) if rounds[index] else late
    return found


def _time_rounds(
    alive: dict[int, tuple[Child, int]], seconds: float, budget: TimeBudget
) -> dict[int, list[np.ndarray]]:
    """Run processes alternately; return times in ms by round, of complete rounds.

    Args:
        alive: Each process with the runs of a block.
        seconds: Approximate time for each.
        budget: When it is used, the rounds end.
    """
    rounds: dict[int, list[np.ndarray]] = {index: [] for index in alive}
    ends, count = time.perf_counter() + seconds * len(alive), 0
    with contextlib.suppress(TimeUsedError), children_within(budget):
        while alive and (count < MIN_ROUNDS or time.perf_counter() < ends) and not (count and budget.is_used):
            for index in list(alive)[:: 1 if count % 2 == 0 else -1]:
                child, block = alive[index]
                rounds[index].append(np.asarray(child.run(block)))
            count += 1
    return {index: times[:count] for index, times in rounds.items()}


def _warm_up(child: Child, limit_s: float, budget: TimeBudget) -> tuple[int, int, bool]:
    """Run until the times no longer fall; return runs per block, warm-up runs, and whether times settled."""
    ends = time.perf_counter() + limit_s
    recent: list[float] = []
    runs, block = 0, 1
    while len(recent) < 10 or (not has_settled(recent) and time.perf_counter() < ends):
        if recent and budget.is_used:
            break
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

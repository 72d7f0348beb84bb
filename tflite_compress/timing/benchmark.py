"""What ``tflite-compress benchmark`` calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tflite_compress.data.raw import samples_for
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.support.errors import ModelError, UsageError, closest
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.timing.interleaved import Contender, Kernels, Timing, time_contenders
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.overhead import measure_call_overhead
from tflite_compress.timing.remote import DeviceTiming, compare_on_device, time_on_device
from tflite_compress.timing.stats import Interval, compute_ratio
from tflite_compress.timing.throughput import Throughput, measure_throughput

KERNELS: tuple[Kernels, ...] = ("xnnpack", "no-delegate", "reference")
DEFAULTS = Remote()
# Of the call by itself; beyond this share of a model's time it is worth a note.
WORTH_TELLING = 0.05


@dataclass(frozen=True)
class Comparison:
    """One thing beside another, timed in the same rounds.

    Attributes:
        what: ``file``, ``delegate`` or ``threads``.
        name: What is compared.
        baseline: With what.
        ratio: How long it takes relative to that, with a 99 % interval.
    """

    what: str
    name: str
    baseline: str
    ratio: Interval


@dataclass(frozen=True)
class Benchmark:
    """All that was measured.

    Attributes:
        where: The machine or device.
        timings: One for each contender that could be timed.
        on_device: Likewise from a device.
        refused: What could not be timed, and why.
        comparisons: Contenders beside each other.
        throughputs: Samples a second at batch sizes.
        overhead_ms: What the call from Python costs by itself; part of every figure, not subtracted.
        notes: What makes figures less sure.
    """

    where: str
    timings: tuple[Timing, ...] = ()
    on_device: tuple[DeviceTiming, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    throughputs: tuple[Throughput, ...] = ()
    overhead_ms: float | None = None
    notes: tuple[str, ...] = ()


def benchmark(
    *models: str | os.PathLike[str],
    threads: Sequence[int] = (1,),
    runtime: str = "litert",
    kernels: Sequence[str] = ("xnnpack", "no-delegate"),
    data: str | None = None,
    preprocess: str = "none",
    seconds: float = 2.0,
    batches: Sequence[int] = (),
    remote: Remote = DEFAULTS,
    progress: Progress | None = None,
) -> Benchmark:
    """Time ``.tflite`` files in turns and compare them with the first.

    Args:
        models: The files.
        threads: Numbers of CPU threads.
        runtime: ``litert``, ``tflm`` (on this machine), ``ssh:HOST`` or ``adb``.
        kernels: For ``litert``: ``xnnpack``, ``no-delegate``, ``reference``.
        data: A sample of the user's; random inputs by default.
        preprocess: See ``compress``.
        seconds: About how long to time each file with each setting.
        batches: Batch sizes to measure throughput at.
        remote: How to reach a device.
        progress: Where to report.

    Raises:
        CompressError: A file is no ``.tflite`` or is damaged, or the device fails.
        UsageError: A setting is unknown.
    """
    progress = progress or Silent()
    if not models:
        raise UsageError("no model named", "For example: tflite-compress benchmark a.tflite b.tflite")
    files = [Contender(str(p), c := read_validated(Path(p)), _inputs(c, data, preprocess)) for p in models]
    if runtime not in ("litert", "tflm"):
        return _on_device(files, runtime, threads, batches, remote, progress)
    chosen: Sequence[Kernels] = ("tflm",) if runtime == "tflm" else find_kernels(kernels)
    if runtime == "tflm" and (list(threads) != [1] or batches):
        raise UsageError("TFLite Micro runs on one thread with batch 1", "Leave --threads and --batches out.")
    contenders = [replace(f, kernels=k, threads=t) for f in files for t in threads for k in chosen]
    found, notes = time_contenders(contenders, seconds, progress)
    timings = tuple(t for t in found if isinstance(t, Timing))
    pairs = zip(contenders, found, strict=True)
    refused = tuple((describe_contender(c), e.message) for c, e in pairs if isinstance(e, ModelError))
    first = [c for c in contenders if c.kernels == chosen[0] and c.threads == threads[0]]
    overhead = measure_call_overhead() if runtime == "litert" else None
    return Benchmark(
        f"this machine ({machine_name()})",
        timings,
        refused=refused,
        comparisons=tuple(_comparisons(timings)),
        throughputs=tuple(measure_throughput(first, batches, seconds / 4, progress) if batches else ()),
        overhead_ms=overhead,
        notes=(*notes, *_notes(timings, overhead)),
    )


def describe_contender(contender: Contender) -> str:
    """A contender in one line: file, kernels, threads."""
    threads = "1 thread" if contender.threads == 1 else f"{contender.threads} threads"
    return f"{contender.name}, {contender.kernels}, {threads}"


def _inputs(content: bytes, data: str | None, preprocess: str) -> tuple:  # type: ignore[type-arg]
    return samples_for(read_signature(content), data, preprocess, 1)[0].first(1).raw


def find_kernels(names: Sequence[str]) -> list[Kernels]:
    """LiteRT's kernels by name, each once.

    Raises:
        UsageError: There are none of that name.
    """
    for name in names:
        if name not in KERNELS:
            raise UsageError(
                f"--kernels={name}: no such kernels.{closest(name, list(KERNELS))}",
                f"Choose from {', '.join(KERNELS)}.",
            )
    return [k for k in KERNELS if k in names]


def _comparisons(timings: Sequence[Timing]) -> list[Comparison]:
    """Files with the first file, delegates with their absence, threads with the fewest."""
    pairs = [(mine, its) for mine in timings for its in timings]
    fewest = min((t.contender.threads for t in timings), default=1)
    found = []
    for mine, its in pairs:
        what = _kind(mine.contender, its.contender)
        if what == "file" and its.contender.content is not timings[0].contender.content:
            continue
        if what == "threads" and its.contender.threads != fewest:
            continue
        if what:
            names = describe_contender(mine.contender), describe_contender(its.contender)
            found.append(Comparison(what, *names, compute_ratio(mine.times, its.times)))
    return found


def _kind(mine: Contender, its: Contender) -> str:
    """In what single respect two contenders differ, if the first is the one to compare."""
    if mine.content is not its.content:
        return "file" if (mine.kernels, mine.threads) == (its.kernels, its.threads) else ""
    if mine.threads == its.threads:
        return "delegate" if (mine.kernels, its.kernels) == ("xnnpack", "no-delegate") else ""
    return "threads" if mine.kernels == its.kernels and mine.threads > its.threads else ""


def _notes(timings: Sequence[Timing], overhead_ms: float | None) -> list[str]:
    notes = [
        f"{describe_contender(t.contender)}: run times were still falling after the warm-up; raise seconds"
        for t in timings
        if not t.steady
    ]
    if any(t.contender.kernels == "tflm" for t in timings):
        notes.append("TFLite Micro's reference kernels on this machine: compare files, not devices")
    quickest = min((t.summary.median_ms.value for t in timings), default=0.0)
    if overhead_ms and quickest and overhead_ms > WORTH_TELLING * quickest:
        notes.append(f"of each run {overhead_ms * 1000:.2f} us are the call from Python itself")
    return notes


def _on_device(
    files: Sequence[Contender],
    runtime: str,
    threads: Sequence[int],
    batches: Sequence[int],
    remote: Remote,
    progress: Progress,
) -> Benchmark:
    if not runtime.startswith("ssh:") and runtime != "adb":
        raise UsageError(f"--runtime={runtime}: not one to time", "Choose litert, tflm, ssh:HOST or adb.")
    if len(threads) != 1 or batches:
        raise UsageError("a device is timed with one number of threads and batch 1", "Call it once for each.")
    ask = find_runtime(runtime, replace(remote, threads=threads[0]))
    timings = time_on_device([(f.name, f.content, f.inputs) for f in files], ask, progress)
    comparisons = [
        Comparison("file", t.name, timings[0].name, compare_on_device(t, timings[0])) for t in timings[1:]
    ]
    cost = timings[0].answers[0].measurement("latency")
    where = cost.source if cost is not None else runtime
    return Benchmark(where, on_device=tuple(timings), comparisons=tuple(comparisons))

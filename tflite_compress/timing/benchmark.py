"""Benchmark ``.tflite`` files: latency, comparisons, throughput."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Literal

from tflite_compress.data.opened_file import open_file
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.gpu import GPU, GPU_FLOAT32
from tflite_compress.runtimes.isolated import children_within
from tflite_compress.support.errors import CompressError, TimeUsedError, UsageError, closest
from tflite_compress.support.input_shape import InputShape
from tflite_compress.support.notes import Note
from tflite_compress.support.progress import Progress, Silent
from tflite_compress.support.quantities import format_ms
from tflite_compress.support.time_budget import TimeBudget
from tflite_compress.timing.interleaved import Contender, Kernels, Timing, time_contenders
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.overhead import measure_call_overhead
from tflite_compress.timing.remote import DeviceTiming, compare_on_device, time_on_device
from tflite_compress.timing.stats import Interval, compute_ratio
from tflite_compress.timing.throughput import Throughput, measure_throughput

KERNELS: tuple[Kernels, ...] = ("xnnpack", "no-delegate", "reference")
DEFAULTS = Remote()
MAX_IN_REPR = 6
WEB = "litert-web:wasm"  # on webgpu the GPU is software, whose time says nothing
FOR_LATENCY = 0.7  # of the time budget, where throughput is measured too
MAX_OVERHEAD_SHARE = 0.05  # a larger share of the call from Python in a run's time is a note


@dataclass(frozen=True)
class TimeRatio:
    """The ratio of two times measured in the same rounds.

    Attributes:
        what: In what the two differ.
        name: The file with its settings.
        baseline: The file with its settings that it is compared with.
        ratio: Time relative to the baseline, with its 99 % interval.
    """

    what: Literal["file", "delegate", "threads"]
    name: str
    baseline: str
    ratio: Interval


@dataclass(frozen=True)
class Refusal:
    """A contender that could not be timed.

    Attributes:
        name: The file with its settings.
        reason: Why it could not be timed.
    """

    name: str
    reason: str


@dataclass(frozen=True, repr=False)
class Benchmark:
    """The measurements of one benchmark.

    Attributes:
        where: The machine or device.
        timings: One per contender that could be timed on this machine.
        on_device: One per file timed on a device.
        refused: Contenders that could not be timed.
        comparisons: Ratios between contenders.
        throughputs: Samples per second at batch sizes.
        overhead_ms: Time of the call from Python, part of every time; None on a device and for TFLite Micro.
        notes: What makes the figures less reliable.
    """

    where: str
    timings: tuple[Timing, ...] = ()
    on_device: tuple[DeviceTiming, ...] = ()
    refused: tuple[Refusal, ...] = ()
    comparisons: tuple[TimeRatio, ...] = ()
    throughputs: tuple[Throughput, ...] = ()
    overhead_ms: float | None = None
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        rows = [f"{name[-60:]}: {median.value:.4g} ms" for name, median in self._medians()]
        more = f"; {len(rows) - MAX_IN_REPR} more" if len(rows) > MAX_IN_REPR else ""
        return f"<Benchmark on {self.where[:100]}: {'; '.join(rows[:MAX_IN_REPR])}{more}>"

    def _repr_html_(self) -> str:
        """Return the median times as an HTML table for notebooks."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{m.value:.4g}</td><td>{m.low:.4g} to {m.high:.4g}</td></tr>"
            for name, m in self._medians()
        )
        head = "<tr><th>model</th><th>median, ms</th><th>interval</th></tr>"
        return f"<p>{escape(self.where)}</p><table>{head}{rows}</table>"

    def _medians(self) -> list[tuple[str, Interval]]:
        here = [(describe_contender(t.contender), t.summary.median_ms) for t in self.timings]
        return here + [(t.name, t.median_ms) for t in self.on_device]


def benchmark(
    *models: str | os.PathLike[str],
    threads: Sequence[int] = (1,),
    runtime: str = "litert",
    kernels: Sequence[str] = ("xnnpack", "no-delegate"),
    data: DataSource | None = None,
    preprocess: Preprocess = "none",
    seconds: float = 2.0,
    batches: Sequence[int] = (),
    remote: Remote = DEFAULTS,
    progress: Progress | None = None,
    input_shape: InputShape | None = None,
    time_budget_seconds: float | None = None,
    resize: bool = False,
) -> Benchmark:
    """Time ``.tflite`` files, interleaved, and compare them with the first.

    Args:
        models: The files.
        threads: Numbers of CPU threads.
        runtime: ``litert`` or ``tflm`` on this machine, ``ssh:HOST`` or ``adb``, or ``litert-gpu`` or
            ``litert-gpu-f32``, whose times are those of this machine's GPU or of its software driver.
        kernels: For ``litert``: ``xnnpack``, ``no-delegate``, ``reference``.
        data: Samples, of which the first is used; random inputs by default.
        preprocess: ``none``, ``unit``, ``symmetric``, or ``module:function``.
        seconds: Approximate time to measure each file with each setting.
        batches: Batch sizes to measure the throughput at.
        remote: How to reach a device.
        progress: Where to report progress.
        input_shape: Sizes of the inputs without the batch, for open dimensions; those of the data by default.
        time_budget_seconds: Time for everything. When it is used, what was timed is kept, and a note says
            what is missing.
        resize: Resize images to the input.

    Returns:
        The timings, with 95 % intervals, and the ratios to the first file, with 99 % intervals.

    Raises:
        ModelError: A file is missing, not a ``.tflite``, or damaged.
        UsageError: A setting is unknown.
        CompressError: The device fails.
    """
    progress, budget = progress or Silent(), TimeBudget(time_budget_seconds)
    if not models:
        raise UsageError("no model named", "Name one or more .tflite files.")
    opened = [open_file(path, data, preprocess, input_shape, 1, resize) for path in models]
    for sizes in dict.fromkeys(file.sizes for file in opened if file.sizes is not None):
        progress.say(sizes)
    files = [
        Contender(str(path), file.content, file.samples.first(1).raw)
        for path, file in zip(models, opened, strict=True)
    ]
    if runtime not in ("litert", "tflm"):
        return _on_device(files, runtime, threads, batches, remote, progress, budget)
    chosen: Sequence[Kernels] = ("tflm",) if runtime == "tflm" else find_kernels(kernels)
    if runtime == "tflm" and (list(threads) != [1] or batches):
        raise UsageError("TFLite Micro runs on one thread with batch 1", "Leave threads and batches out.")
    contenders = [replace(f, kernels=k, threads=t) for f in files for t in threads for k in chosen]
    for_latency = budget.share(FOR_LATENCY) if batches else budget
    found, notes = time_contenders(contenders, seconds, progress, budget=for_latency)
    timings = tuple(t for t in found if isinstance(t, Timing))
    pairs = zip(contenders, found, strict=True)
    refused = tuple(
        Refusal(describe_contender(c), e.message) for c, e in pairs if isinstance(e, CompressError)
    )
    first = [c for c in contenders if c.kernels == chosen[0] and c.threads == threads[0]]
    overhead = _overhead(budget) if runtime == "litert" else None
    rates = measure_throughput(first, batches, seconds / 4, progress, budget) if batches else []
    return Benchmark(
        f"this machine ({machine_name()})",
        timings,
        refused=refused,
        comparisons=tuple(_comparisons(timings)),
        throughputs=tuple(rates),
        overhead_ms=overhead,
        notes=(*notes, *_notes(timings, overhead), *budget.notes),
    )


def _overhead(budget: TimeBudget) -> float | None:
    """Return the time of a call from Python in ms; None if the time budget is used."""
    with contextlib.suppress(TimeUsedError), children_within(budget):
        if not budget.is_used:
            return measure_call_overhead()
    budget.cut("time of the call from Python not measured")
    return None


def describe_contender(contender: Contender) -> str:
    """Return a contender's file, kernels and threads as text."""
    threads = "1 thread" if contender.threads == 1 else f"{contender.threads} threads"
    return f"{contender.name}, {contender.kernels}, {threads}"


def find_kernels(names: Sequence[str]) -> list[Kernels]:
    """Return LiteRT's kernels by name, without duplicates.

    Raises:
        UsageError: There are no kernels of that name.
    """
    for name in names:
        if name not in KERNELS:
            raise UsageError(
                f"no kernels are called '{name}'.{closest(name, list(KERNELS))}",
                f"Choose from {', '.join(KERNELS)}.",
            )
    return [k for k in KERNELS if k in names]


def _comparisons(timings: Sequence[Timing]) -> list[TimeRatio]:
    """Compare files with the first file, the delegate with none, thread counts with the smallest."""
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
            found.append(TimeRatio(what, *names, compute_ratio(mine.times, its.times)))
    return found


def _kind(mine: Contender, its: Contender) -> Literal["file", "delegate", "threads"] | None:
    """Return the one setting in which two contenders differ, if the second is the baseline; else None."""
    if mine.content is not its.content:
        return "file" if (mine.kernels, mine.threads) == (its.kernels, its.threads) else None
    if mine.threads == its.threads:
        return "delegate" if (mine.kernels, its.kernels) == ("xnnpack", "no-delegate") else None
    return "threads" if mine.kernels == its.kernels and mine.threads > its.threads else None


def _notes(timings: Sequence[Timing], overhead_ms: float | None) -> list[Note]:
    falling = "run times were still falling after the warm-up; increase seconds"
    notes = [
        Note("not-steady", f"{describe_contender(t.contender)}: {falling}", "warning")
        for t in timings
        if not t.is_steady
    ]
    if any(t.contender.kernels == "tflm" for t in timings):
        text = "TFLite Micro's reference kernels on this machine: compare files, not devices"
        notes.append(Note("reference-kernels", text))
    quickest = min((t.summary.median_ms.value for t in timings), default=0.0)
    if overhead_ms and quickest and overhead_ms > MAX_OVERHEAD_SHARE * quickest:
        text = f"the call from Python takes {format_ms(overhead_ms)} of each run"
        notes.append(Note("call-overhead", text))
    return notes


def _on_device(
    files: Sequence[Contender],
    runtime: str,
    threads: Sequence[int],
    batches: Sequence[int],
    remote: Remote,
    progress: Progress,
    budget: TimeBudget,
) -> Benchmark:
    if runtime not in (GPU, GPU_FLOAT32, WEB, "adb") and not runtime.startswith("ssh:"):
        hint = f"Choose litert, tflm, {WEB}, ssh:HOST, adb, {GPU} or {GPU_FLOAT32}."
        raise UsageError(f"runtime '{runtime}' cannot be timed", hint)
    if len(threads) != 1 or batches:
        raise UsageError("a device is timed with one number of threads and batch 1", "Run it once for each.")
    run = find_runtime(runtime, replace(remote, threads=threads[0]))
    timings = time_on_device([(f.name, f.content, f.inputs) for f in files], run, progress, budget=budget)
    comparisons = [
        TimeRatio("file", t.name, timings[0].name, compare_on_device(t, timings[0])) for t in timings[1:]
    ]
    latency = timings[0].results[0].measurement("latency")
    where = latency.source if latency is not None else runtime
    return Benchmark(where, on_device=tuple(timings), comparisons=tuple(comparisons), notes=budget.notes)

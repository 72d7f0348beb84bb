"""Time files on a device (SSH, adb): interleaved, several runs each."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite_compress.runtimes.isolated import children_within
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.support.errors import CompressError, TimeUsedError
from tflite_compress.support.progress import Progress
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
from tflite_compress.timing.stats import Interval, compute_ratio

ROUNDS = 3


@dataclass(frozen=True)
class DeviceTiming:
    """The timing of one file on a device.

    Attributes:
        name: The file.
        results: One per round; each has a median over many runs.
        median_ms: Median of the rounds' medians in ms, with the smallest and the largest.
        sha256: SHA-256 of the file; None if the device did not tell.
    """

    name: str
    results: tuple[RunResult, ...]
    median_ms: Interval
    sha256: str | None = None


def time_on_device(
    files: Sequence[tuple[str, bytes, Arrays]],
    runtime: Runtime,
    progress: Progress,
    rounds: int = ROUNDS,
    budget: TimeBudget = NO_BUDGET,
) -> list[DeviceTiming]:
    """Time files on a device, interleaved.

    Args:
        files: Name, bytes and raw inputs of each.
        runtime: The device's runtime.
        progress: Where to report progress.
        rounds: How often each file is run.
        budget: When it is used, no further run starts. Complete rounds are kept; of the first, the files
            that were run.

    Returns:
        One timing per file that was run, in order.

    Raises:
        CompressError: The device cannot be reached, or refuses a file.
        TimeUsedError: The time budget was used before one file was run.
    """
    results: list[list[RunResult]] = [[] for _ in files]
    order = [i for n in range(rounds) for i in list(range(len(files)))[:: 1 if n % 2 == 0 else -1]]
    with (
        progress.step("timing on the device", len(order)) as advance,
        contextlib.suppress(TimeUsedError),
        children_within(budget),
    ):
        for index in order:
            if budget.is_used:
                break
            _, content, inputs = files[index]
            results[index].append(runtime(content, tuple(x[:1] for x in inputs)))
            advance(1)
    done = sum(map(len, results))
    if done == 0:
        raise TimeUsedError("no file was timed before the time budget was used", "Give it more time.")
    if done < len(order):
        budget.cut(f"{done} of {len(order)} runs on the device made")
    complete = max(1, min(map(len, results)))
    return [
        _timing(name, content, found[:complete])
        for (name, content, _), found in zip(files, results, strict=True)
        if found
    ]


def compare_on_device(timing: DeviceTiming, baseline: DeviceTiming) -> Interval:
    """Return the ratio of two files' latencies; each round runs in a process of its own."""
    mine, its = ([[np.array([ms])] for ms in read_latencies(t.name, t.results)] for t in (timing, baseline))
    return compute_ratio(mine, its)


def read_latencies(name: str, results: Sequence[RunResult]) -> list[float]:
    """Return the latency of each result in ms.

    Raises:
        CompressError: A result has no latency.
    """
    costs = [result.measurement("latency") for result in results]
    found = [cost.value for cost in costs if cost is not None and cost.unit == "ms"]
    if len(found) < len(costs) or not found:
        raise CompressError(f"{name}: the device reported no latency", "Use another runtime.")
    return found


def _timing(name: str, content: bytes, results: list[RunResult]) -> DeviceTiming:
    found = read_latencies(name, results)
    median = Interval(float(np.median(found)), min(found), max(found))
    return DeviceTiming(name, tuple(results), median, hashlib.sha256(content).hexdigest())

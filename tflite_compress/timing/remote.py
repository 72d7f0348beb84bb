"""Timing on devices that answer a run as a whole (SSH, adb): files in turns, several times each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.support.errors import CompressError
from tflite_compress.support.progress import Progress
from tflite_compress.timing.stats import Interval, compute_ratio

TURNS = 3


@dataclass(frozen=True)
class DeviceTiming:
    """What a device answered for one file.

    Attributes:
        name: The file.
        answers: One for each turn; each holds a median over many runs.
        median_ms: Median of the turns' medians, with the smallest and the largest.
    """

    name: str
    answers: tuple[RunResult, ...]
    median_ms: Interval


def time_on_device(
    files: Sequence[tuple[str, bytes, Arrays]], runtime: Runtime, progress: Progress, turns: int = TURNS
) -> list[DeviceTiming]:
    """Ask a device about files in turns.

    Args:
        files: Name, bytes and raw inputs of each.
        runtime: The device.
        progress: Where to report.
        turns: How often each file is run there.

    Raises:
        CompressError: The device cannot be reached, or refuses a file.
    """
    answers: list[list[RunResult]] = [[] for _ in files]
    with progress.step("timing on the device", turns * len(files)) as advance:
        for turn in range(turns):
            order = list(range(len(files)))[:: 1 if turn % 2 == 0 else -1]
            for index in order:
                _, content, inputs = files[index]
                answers[index].append(runtime(content, tuple(x[:1] for x in inputs)))
                advance(1)
    return [_timing(name, found) for (name, _, _), found in zip(files, answers, strict=True)]


def compare_on_device(timing: DeviceTiming, baseline: DeviceTiming) -> Interval:
    """How long a file takes there relative to another; turns count as processes, for each is one."""
    mine, its = ([[np.array([ms])] for ms in read_latencies(t.name, t.answers)] for t in (timing, baseline))
    return compute_ratio(mine, its)


def read_latencies(name: str, answers: Sequence[RunResult]) -> list[float]:
    """The latency each answer holds, in ms.

    Raises:
        CompressError: One holds none.
    """
    costs = [answer.measurement("latency") for answer in answers]
    found = [cost.value for cost in costs if cost is not None and cost.unit == "ms"]
    if len(found) < len(costs) or not found:
        raise CompressError(f"{name}: the device told no latency", "Try another runtime.")
    return found


def _timing(name: str, answers: list[RunResult]) -> DeviceTiming:
    found = read_latencies(name, answers)
    return DeviceTiming(name, tuple(answers), Interval(float(np.median(found)), min(found), max(found)))

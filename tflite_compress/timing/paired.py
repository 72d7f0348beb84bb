"""A quick comparison in this process: models timed interleaved in one run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

MIN_ROUNDS = 30
MAX_ROUNDS = 1000


@dataclass(frozen=True)
class Latency:
    """Time per inference, batch 1, one thread.

    Attributes:
        median_ms: Median over the runs.
        p90_ms: 90th percentile.
        p99_ms: 99th percentile.
        runs: Number of runs.
    """

    median_ms: float
    p90_ms: float
    p99_ms: float
    runs: int


class Invokable(Protocol):
    """A loaded model with its inputs set."""

    def invoke(self) -> None:
        """Run once."""


def measure_alternately(models: Sequence[Invokable], seconds: float = 1.0) -> list[Latency]:
    """Time models interleaved, so that other load on the machine affects all equally.

    Args:
        models: Loaded models with inputs set.
        seconds: Approximate time to measure, after the warm-up.

    Returns:
        One latency per model, in order.
    """
    warm_up_ends = time.perf_counter() + seconds / 4
    rounds = 0
    while rounds < 3 or time.perf_counter() < warm_up_ends:
        for model in models:
            model.invoke()
        rounds += 1
    times: list[list[float]] = [[] for _ in models]
    ends = time.perf_counter() + seconds
    rounds = 0
    while rounds < MIN_ROUNDS or (rounds < MAX_ROUNDS and time.perf_counter() < ends):
        order = range(len(models)) if rounds % 2 == 0 else reversed(range(len(models)))
        for index in order:
            start = time.perf_counter_ns()
            models[index].invoke()
            times[index].append((time.perf_counter_ns() - start) / 1e6)
        rounds += 1
    return [_summary(np.asarray(series)) for series in times]


def _summary(times_ms: np.ndarray) -> Latency:
    median, p90, p99 = (float(v) for v in np.percentile(times_ms, [50, 90, 99]))
    return Latency(median, p90, p99, len(times_ms))

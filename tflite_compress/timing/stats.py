"""Statistics of repeated timings: medians, ratios and their confidence intervals.

Times are grouped by process and round. The memory layout of a process can affect all its runs, so the
bootstrap draws processes first and rounds within them (hierarchical bootstrap, Kalibera and Jones, "Rigorous
Benchmarking in Reasonable Time", 2013).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000
CONFIDENCE = 0.95
STRICT = 0.99
MIN_EFFECT = 0.02  # code alignment alone causes smaller differences

# Milliseconds of single runs: a list of processes, each a list of rounds, each an array of runs.
Times = Sequence[Sequence[np.ndarray]]


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval.

    Attributes:
        value: The figure.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """Statistics of one model's runs, in ms.

    Attributes:
        median_ms: Median with its 95 % interval.
        mean_ms: Mean with its 95 % interval.
        p90_ms: 90th percentile.
        p99_ms: 99th percentile.
        runs: Number of runs.
    """

    median_ms: Interval
    mean_ms: Interval
    p90_ms: float
    p99_ms: float
    runs: int


def summarize(times: Times, seed: int = 0) -> Summary:
    """Compute the statistics of a model's runs.

    Args:
        times: Times in ms by process and round.
        seed: Seed of the bootstrap.
    """
    flat = np.concatenate([run for process in times for run in process])
    p90, p99 = (float(v) for v in np.percentile(flat, [90, 99]))
    medians = _by_process(times, np.median)
    means = _by_process(times, np.mean)
    low, high = _interval(medians, CONFIDENCE, seed)
    low_mean, high_mean = _interval(means, CONFIDENCE, seed)
    median, mean = float(np.median(flat)), float(np.mean(flat))
    return Summary(
        Interval(median, min(low, median), max(high, median)),
        Interval(mean, min(low_mean, mean), max(high_mean, mean)),
        p90,
        p99,
        len(flat),
    )


def compute_ratio(times: Times, baseline: Times, seed: int = 0) -> Interval:
    """Return the ratio of a model's time to that of a baseline timed in the same rounds.

    Args:
        times: Times in ms by process and round.
        baseline: The baseline's times.
        seed: Seed of the bootstrap.

    Returns:
        The ratio with its 99 % interval.
    """
    logs = [
        np.array([np.log(np.median(a) / np.median(b)) for a, b in zip(mine, its, strict=True)])
        for mine, its in zip(times, baseline, strict=True)
    ]
    low, high = _interval(logs, STRICT, seed)
    middle = float(np.median([np.median(process) for process in logs]))
    value, low, high = (float(np.exp(v)) for v in (middle, min(low, middle), max(high, middle)))
    return Interval(value, low, high)


def describe_ratio(found: Interval) -> str:
    """Return ``faster``, ``slower`` or ``no difference measured`` for a ratio of times."""
    if found.high < 1 and found.value <= 1 - MIN_EFFECT:
        return "faster"
    if found.low > 1 and found.value >= 1 + MIN_EFFECT:
        return "slower"
    return "no difference measured"


def has_settled(recent: Sequence[float], tolerance: float = 0.05) -> bool:
    """Return True if the medians of the last five and the five earlier rounds differ by at most a share."""
    if len(recent) < 10:
        return False
    before, now = float(np.median(recent[-10:-5])), float(np.median(recent[-5:]))
    return abs(now - before) <= tolerance * before


def _by_process(times: Times, figure: Callable[[np.ndarray], float]) -> list[np.ndarray]:
    return [np.array([figure(run) for run in process]) for process in times]


def _interval(processes: list[np.ndarray], confidence: float, seed: int) -> tuple[float, float]:
    """Bootstrap the interval of the median over processes of the median over rounds."""
    generator = np.random.default_rng(seed)
    drawn = np.empty((DRAWS, len(processes)))
    for column in range(len(processes)):
        which = generator.integers(len(processes), size=DRAWS)
        for index, process in enumerate(processes):
            rows = np.flatnonzero(which == index)
            if len(rows):
                picks = generator.integers(len(process), size=(len(rows), len(process)))
                drawn[rows, column] = np.median(process[picks], axis=1)
    tail = (1 - confidence) / 2 * 100
    low, high = np.percentile(np.median(drawn, axis=1), [tail, 100 - tail])
    return float(low), float(high)

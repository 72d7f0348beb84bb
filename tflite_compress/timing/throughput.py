"""Measure the throughput of a model at several batch sizes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite_compress.runtimes.isolated import children_within
from tflite_compress.support.errors import ModelError, TimeUsedError
from tflite_compress.support.progress import Progress
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
from tflite_compress.timing.interleaved import Contender, start_contender

MIN_RUNS = 10
LATE = "not measured: the time budget was used"


@dataclass(frozen=True)
class Throughput:
    """The throughput at one batch size.

    Attributes:
        contender: The model with its settings.
        batch: Samples per run.
        samples_per_s: Samples per second, from the median run; None if the batch cannot be run.
        peak_bytes: Peak memory of the process; None if the batch cannot be run.
        refusal: Why the batch cannot be run; None if it can.
    """

    contender: Contender
    batch: int
    samples_per_s: float | None = None
    peak_bytes: int | None = None
    refusal: str | None = None


def measure_throughput(
    contenders: Sequence[Contender],
    batches: Sequence[int],
    seconds: float,
    progress: Progress,
    budget: TimeBudget = NO_BUDGET,
) -> list[Throughput]:
    """Measure contenders at several batch sizes, each in its own process.

    Args:
        contenders: The models with their settings.
        batches: Samples per run.
        seconds: Approximate time to measure each.
        progress: Where to report progress.
        budget: When it is used, the batches that are left are refused.

    Returns:
        One throughput per contender and batch size.
    """
    pairs = [(contender, batch) for contender in contenders for batch in batches]
    with progress.step("running batches", len(pairs)) as advance, children_within(budget):
        found = []
        for contender, batch in pairs:
            row = Throughput(contender, batch, refusal=LATE)
            if not budget.is_used:
                with contextlib.suppress(TimeUsedError):
                    row = _one(contender, batch, min(seconds, budget.left))
            found.append(row)
            advance(1)
    measured = sum(row.refusal != LATE for row in found)
    if measured < len(found):
        budget.cut(f"throughput measured for {measured} of {len(found)} batches")
    return found


def _one(contender: Contender, batch: int, seconds: float) -> Throughput:
    try:
        with start_contender(contender, batch) as (child, _):
            times: list[float] = []
            child.run(2)
            ends = time.perf_counter() + seconds
            while len(times) < MIN_RUNS or time.perf_counter() < ends:
                times += child.run(MIN_RUNS)
            return Throughput(contender, batch, batch * 1e3 / float(np.median(times)), child.peak_bytes())
    except ModelError as error:
        return Throughput(contender, batch, refusal=error.message)

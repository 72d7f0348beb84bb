"""How many samples a second a model takes at several batch sizes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite_compress.support.errors import ModelError
from tflite_compress.support.progress import Progress
from tflite_compress.timing.interleaved import Contender, start_contender

MIN_RUNS = 10


@dataclass(frozen=True)
class Throughput:
    """One batch size.

    Attributes:
        contender: What was run.
        batch: Samples in a run.
        samples_per_s: Samples a second, from the median run; 0 where it cannot.
        peak_bytes: Peak memory of the process.
        why_not: Why the batch cannot be run; empty where it can.
    """

    contender: Contender
    batch: int
    samples_per_s: float
    peak_bytes: int
    why_not: str = ""


def measure_throughput(
    contenders: Sequence[Contender], batches: Sequence[int], seconds: float, progress: Progress
) -> list[Throughput]:
    """Run contenders at batch sizes, each in a process of its own.

    Args:
        contenders: What to run.
        batches: Samples in a run.
        seconds: About how long to measure each.
        progress: Where to report.
    """
    pairs = [(contender, batch) for contender in contenders for batch in batches]
    with progress.step("running batches", len(pairs)) as advance:
        found = []
        for contender, batch in pairs:
            found.append(_one(contender, batch, seconds))
            advance(1)
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
        return Throughput(contender, batch, 0.0, 0, error.message.partition("refuses the model: ")[2] or "?")

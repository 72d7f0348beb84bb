"""Time the cuts of a model: which cuts, how many at once, within a time and a memory."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.support.errors import ModelError, TimeUsedError
from tflite_compress.support.progress import Advance
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
from tflite_compress.timing.interleaved import BLOCK_MS, Contender, Kernels, load_into
from tflite_compress.timing.prefixes import CutModel
from tflite_compress.timing.timed_process import Child

MIN_ROUNDS, MAX_ROUNDS = 5, 400
MIN_CUTS = 2
MIN_SECONDS = 4.0  # to load cuts, whatever the time given: few seconds are enough for small models
MEMORY_BYTES = 512 << 20  # of all cuts that are loaded at once
LOADING_SHARE = 0.6  # of the time of a batch; cuts that would be loaded later are left out


@dataclass(frozen=True)
class CutSettings:
    """How cuts are timed.

    Attributes:
        inputs: One raw array per input, shape (samples, ...); the first sample is used.
        kernels: LiteRT's kernels.
        threads: CPU threads.
        seconds: Approximate time for everything.
        budget: When it is used, timing ends and what was timed is kept.
    """

    inputs: Arrays
    kernels: Kernels
    threads: int
    seconds: float
    budget: TimeBudget = NO_BUDGET


@dataclass
class CutTimes:
    """The times of cuts.

    Attributes:
        places: Index of the last operator of each cut that was timed.
        own_ms: Per cut, by how much each round took longer than the cut before, in ms.
        total_ms: Times of the last cut, the whole model, in ms. If the time budget ended before it, those of
            the runs that the plan is made from.
        refused: Index of the last operator of each cut that LiteRT refuses, with the reason.
    """

    places: list[int] = field(default_factory=list)
    own_ms: list[np.ndarray] = field(default_factory=list)
    total_ms: np.ndarray = field(default_factory=lambda: np.zeros(0))
    refused: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class CutPlan:
    """Which cuts are timed.

    Attributes:
        places: Index of the last operator of each cut.
        at_once: Number of cuts that are loaded at the same time.
        whole_ms: Times of the whole model in ms, from a few runs.
    """

    places: tuple[int, ...]
    at_once: int
    whole_ms: tuple[float, ...] = ()


def plan_cuts(model: CutModel, settings: CutSettings) -> CutPlan:
    """Choose as many cuts as the time allows, evenly spaced, from the cost of the whole model.

    Raises:
        ModelError: LiteRT refuses the whole model.
    """
    start = time.perf_counter()
    whole = _contender(model, model.cuts[-1], settings)
    packed = time.perf_counter()
    with contextlib.ExitStack() as stack:
        child = stack.enter_context(Child("LiteRT"))
        loaded = load_into(child, whole, _folder(stack))
        ready = time.perf_counter()
        whole_ms = tuple(child.run(2))
    run_rounds = (MIN_ROUNDS + 2) * min(whole_ms) / 1e3
    loading = (loaded.load_ms + loaded.first_ms) / 1e3
    cut_s = (packed - start + loading + run_rounds) / 2  # a cut is half a model on average
    process_s = max(0.0, ready - packed - loading)
    at_once = int(np.clip(2 * MEMORY_BYTES // max(loaded.model_bytes, 1), 2, 200))
    wanted = min(max(settings.seconds, MIN_SECONDS), settings.budget.left)
    left = wanted - (time.perf_counter() - start) - process_s
    count = int(np.clip(left / (cut_s + process_s / at_once), MIN_CUTS, len(model.cuts)))
    chosen = np.unique(np.linspace(0, len(model.cuts), min(count, len(model.cuts)) + 1).astype(int)[1:] - 1)
    return CutPlan(tuple(model.cuts[i] for i in chosen), at_once, whole_ms)


def time_cuts(model: CutModel, plan: CutPlan, settings: CutSettings, advance: Advance) -> CutTimes:
    """Time cuts, each interleaved with the one before.

    Cuts that LiteRT refuses are left out: their operators then count to the next cut. A batch that the time
    budget ends is left out, and so are those after it.

    Args:
        model: The model.
        plan: The cuts.
        settings: How they are timed.
        advance: Called with the number of cuts that are done.

    Raises:
        ModelError: LiteRT refuses the whole model.
    """
    ends = time.perf_counter() + settings.seconds
    found, waiting = CutTimes(), list(plan.places)
    while waiting and not settings.budget.is_used:
        anchor = found.places[-1:]
        batch = waiting[: plan.at_once - len(anchor)]
        share = len(batch) / len(waiting) * (ends - time.perf_counter())
        loading = max(LOADING_SHARE * share, MIN_SECONDS * len(batch) / len(plan.places))
        waiting = waiting[len(batch) :]
        try:
            _time_batch(model, [*anchor, *batch], len(anchor), (share, loading), settings, found)
        except TimeUsedError:
            break
        advance(len(batch))
    if found.places[-1:] != [model.cuts[-1]]:
        found.total_ms = np.array(plan.whole_ms)
    return found


def _time_batch(
    model: CutModel,
    places: Sequence[int],
    anchors: int,
    seconds: tuple[float, float],
    settings: CutSettings,
    found: CutTimes,
) -> None:
    """Time cuts in one process and add them to ``found``; if ``anchors`` is 1 the first is known already.

    ``seconds`` are those for everything, and those for loading.
    """
    ends, loaded_by = (time.perf_counter() + part for part in seconds)
    whole = model.cuts[-1]
    with contextlib.ExitStack() as stack:
        child, places = _load(model, places, loaded_by, settings, found, stack)
        if whole in [place for place, _ in found.refused]:
            raise ModelError(dict(found.refused)[whole], None)
        if anchors and places[:1] != found.places[-1:]:
            raise ModelError("LiteRT refuses a part of the model that it ran before", "Run it again.")
        if len(places) <= anchors:
            return
        rounds = _run(child, ends, settings.budget)
    own = np.diff(rounds, axis=1, prepend=0)
    found.places += places[anchors:]
    found.own_ms += list(own.T[anchors:])
    found.total_ms = rounds[:, -1]


def _load(
    model: CutModel,
    places: Sequence[int],
    loaded_by: float,
    settings: CutSettings,
    found: CutTimes,
    stack: contextlib.ExitStack,
) -> tuple[Child, list[int]]:
    """Load cuts into one process; return it with the places of those that LiteRT takes.

    A cut that crashes the process is left out, and a new process loads the others. When the time is over,
    only the last cut is still loaded.
    """
    loaded: list[int] = []
    child = stack.enter_context(Child("LiteRT"))
    for number, place in enumerate(places):
        if time.perf_counter() > loaded_by and 0 < number < len(places) - 1:
            continue
        try:
            load_into(child, _contender(model, place, settings), _folder(stack))
            loaded.append(place)
        except ModelError as error:
            found.refused.append((place, error.message))
            if not child.is_alive():
                return _load(model, [*loaded, *places[number + 1 :]], loaded_by, settings, found, stack)
    return child, loaded


def _run(child: Child, ends: float, budget: TimeBudget) -> np.ndarray:
    """Time all loaded cuts until a time; return ms of shape (rounds, cuts)."""
    child.run_interleaved(1, 1)
    start = time.perf_counter()
    longest = max(child.run_interleaved(1, 1)[0])
    round_s = time.perf_counter() - start
    left = max(0.0, ends - time.perf_counter())
    runs = int(np.clip(BLOCK_MS / max(longest, 1e-3) / 4, 1, max(1, min(50, left / MIN_ROUNDS / round_s))))
    count = int(np.clip(left / (round_s * runs), MIN_ROUNDS, MAX_ROUNDS))
    rows: list[list[float]] = []
    while len(rows) < count and (len(rows) < MIN_ROUNDS or time.perf_counter() < ends):
        if rows and budget.is_used:
            break
        rows += child.run_interleaved(runs, min(MIN_ROUNDS, count - len(rows)))
    return np.asarray(rows)


def _contender(model: CutModel, place: int, settings: CutSettings) -> Contender:
    return Contender("cut", model.cut(place), settings.inputs, settings.kernels, settings.threads)


def _folder(stack: contextlib.ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tflite-compress-")))

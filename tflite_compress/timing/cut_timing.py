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
from tflite_compress.support.errors import ModelError
from tflite_compress.support.progress import Advance
from tflite_compress.timing.interleaved import BLOCK_MS, Contender, Kernels, load_into
from tflite_compress.timing.prefixes import CutModel
from tflite_compress.timing.timed_process import Child

MIN_ROUNDS, MAX_ROUNDS = 8, 400
MIN_CUTS = 2
MIN_SECONDS = 2.0  # loading the cuts of a small model takes this long
MEMORY_BYTES = 512 << 20  # of all cuts that are loaded at once
WARM_ROUNDS = 2


@dataclass(frozen=True)
class CutSettings:
    """How cuts are timed.

    Attributes:
        inputs: One raw array per input, shape (samples, ...); the first sample is used.
        kernels: LiteRT's kernels.
        threads: CPU threads.
        seconds: Approximate time for everything.
    """

    inputs: Arrays
    kernels: Kernels
    threads: int
    seconds: float


@dataclass
class CutTimes:
    """The times of cuts.

    Attributes:
        places: Index of the last operator of each cut that was timed.
        own_ms: Per cut, by how much each round took longer than the cut before, in ms.
        total_ms: Times of the last cut, the whole model, in ms.
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
    """

    places: tuple[int, ...]
    at_once: int


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
        run_s = min(child.run(2)) / 1e3
    run_rounds = (MIN_ROUNDS + WARM_ROUNDS) * run_s
    loading = (loaded.load_ms + loaded.first_ms) / 1e3
    cut_s = (packed - start + loading + run_rounds) / 2  # a cut is half a model on average
    process_s = max(0.0, ready - packed - loading)
    at_once = int(np.clip(2 * MEMORY_BYTES // max(loaded.model_bytes, 1), 2, 200))
    left = max(settings.seconds, MIN_SECONDS) - (time.perf_counter() - start) - process_s
    count = int(np.clip(left / (cut_s + process_s / at_once), MIN_CUTS, len(model.cuts)))
    chosen = np.unique(np.linspace(0, len(model.cuts), min(count, len(model.cuts)) + 1).astype(int)[1:] - 1)
    return CutPlan(tuple(model.cuts[i] for i in chosen), at_once)


def time_cuts(model: CutModel, plan: CutPlan, settings: CutSettings, advance: Advance) -> CutTimes:
    """Time cuts, each interleaved with the one before.

    Cuts that LiteRT refuses are left out: their operators then count to the next cut.

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
    while waiting:
        anchor = found.places[-1:]
        batch = waiting[: plan.at_once - len(anchor)]
        share = len(batch) / len(waiting) * (ends - time.perf_counter())
        waiting = waiting[len(batch) :]
        _time_batch(model, [*anchor, *batch], len(anchor), share, settings, found)
        advance(len(batch))
    return found


def _time_batch(
    model: CutModel,
    places: Sequence[int],
    anchors: int,
    seconds: float,
    settings: CutSettings,
    found: CutTimes,
) -> None:
    """Time cuts in one process and add them to ``found``; if ``anchors`` is 1 the first is known already."""
    ends = time.perf_counter() + seconds
    whole = model.cuts[-1]
    with contextlib.ExitStack() as stack:
        child, places = _load(model, places, settings, found, stack)
        if whole in [place for place, _ in found.refused]:
            raise ModelError(dict(found.refused)[whole], None)
        if anchors and places[:1] != found.places[-1:]:
            raise ModelError("LiteRT refuses a part of the model that it ran before", "Run it again.")
        if len(places) <= anchors:
            return
        rounds = _run(child, ends)
    own = np.diff(rounds, axis=1, prepend=0)
    found.places += places[anchors:]
    found.own_ms += list(own.T[anchors:])
    found.total_ms = rounds[:, -1]


def _load(
    model: CutModel,
    places: Sequence[int],
    settings: CutSettings,
    found: CutTimes,
    stack: contextlib.ExitStack,
) -> tuple[Child, list[int]]:
    """Load cuts into one process; return it with the places of those that LiteRT takes.

    A cut that crashes the process is left out, and a new process loads the others.
    """
    loaded: list[int] = []
    child = stack.enter_context(Child("LiteRT"))
    for number, place in enumerate(places):
        try:
            load_into(child, _contender(model, place, settings), _folder(stack))
            loaded.append(place)
        except ModelError as error:
            found.refused.append((place, error.message))
            if not child.is_alive():
                return _load(model, [*loaded, *places[number + 1 :]], settings, found, stack)
    return child, loaded


def _run(child: Child, ends: float) -> np.ndarray:
    """Time all loaded cuts until a time; return ms of shape (rounds, cuts)."""
    warm = np.asarray(child.run_interleaved(1, WARM_ROUNDS))
    longest = float(warm[-1].max())
    runs = max(1, min(50, round(BLOCK_MS / max(longest, 1e-3) / 4)))
    round_ms = float(warm[-1].sum()) * runs
    left_ms = (ends - time.perf_counter()) * 1e3
    if left_ms < MIN_ROUNDS * round_ms:
        runs, round_ms = 1, round_ms / runs
    count = int(np.clip(left_ms / max(round_ms, 1e-3), MIN_ROUNDS, MAX_ROUNDS))
    return np.asarray(child.run_interleaved(runs, count))


def _contender(model: CutModel, place: int, settings: CutSettings) -> Contender:
    return Contender("cut", model.cut(place), settings.inputs, settings.kernels, settings.threads)


def _folder(stack: contextlib.ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tflite-compress-")))

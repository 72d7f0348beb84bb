"""Decide which trials get more work, by successive halving.

Each point passes through stages of growing effort (Jamieson and Talwalkar, arXiv:1502.07943; asynchronously,
Li et al., arXiv:1810.05934). Size and latency are known without training, so most points end after the first
stage. Only points that may improve the Pareto front are trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tflite_compress.searching.job import Outcome
from tflite_compress.searching.records import Training, Values
from tflite_compress.searching.space import Effort, stages_of
from tflite_compress.support.quantities import format_bytes, format_number

EFFORTS = (Effort(0, False), Effort(200, False), Effort(900, True), Effort(2700, True))
# Largest drop with which a point is trained further, in multiples of the allowed drop, by stage.
PATIENCE = (math.inf, 12.0, 4.0)
MIN_ALLOWED = 0.005  # smaller allowed drops count as this one

Figures = tuple[float, ...]


@dataclass(frozen=True)
class Candidate:
    """A point and its outcomes.

    Attributes:
        trial: Number of its trial.
        values: The point.
        outcomes: Outcomes so far, one per stage.
        attempts: How often its next stage was started, including searches that were killed.
        crashes: How often its next stage crashed the worker process.
    """

    trial: int
    values: Values
    outcomes: tuple[Outcome, ...] = ()
    attempts: int = 0
    crashes: int = 0

    @property
    def last(self) -> Outcome:
        """The last outcome."""
        return self.outcomes[-1]

    def training(self, efforts: tuple[Effort, ...] = EFFORTS) -> Training:
        """Return how much of its training a point has had."""
        planned = self.stages(efforts)
        done, full = planned[len(self.outcomes) - 1].steps if self.outcomes else 0, planned[-1].steps
        return "full" if done == full else "part" if done else "none"

    def stages(self, efforts: tuple[Effort, ...] = EFFORTS) -> tuple[Effort, ...]:
        """Return the efforts of its stages."""
        return stages_of(self.values, efforts)


@dataclass(frozen=True)
class Goal:
    """The objectives of a search.

    Attributes:
        objectives: What to minimize.
        max_drop: Maximum accuracy drop.
        efforts: Efforts of the stages.
    """

    objectives: tuple[str, ...]
    max_drop: float
    efforts: tuple[Effort, ...] = field(default=EFFORTS)

    def figures(self, outcome: Outcome) -> Figures:
        """Return the values of the objectives; infinite if unknown."""
        return tuple(outcome.figures.get(name, math.inf) for name in self.objectives)

    def is_feasible(self, outcome: Outcome) -> bool:
        """Return True for a file that keeps accuracy and all limits."""
        return not outcome.error and not outcome.violation and outcome.drop <= self.max_drop


def dominates(first: Figures, second: Figures) -> bool:
    """Return True if ``first`` is nowhere worse and somewhere better."""
    return all(a <= b for a, b in zip(first, second, strict=True)) and first != second


def pareto_front(goal: Goal, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the feasible candidates that no other dominates, sorted by the first objective.

    Of candidates with equal figures, only the first is returned.
    """
    good = [c for c in candidates if c.outcomes and goal.is_feasible(c.last)]
    kept: dict[Figures, Candidate] = {}
    for candidate in good:
        figures = goal.figures(candidate.last)
        if not any(dominates(goal.figures(other.last), figures) for other in good):
            kept.setdefault(figures, candidate)
    return [kept[figures] for figures in sorted(kept)]


def end_reason(goal: Goal, candidate: Candidate, best: Sequence[Candidate]) -> str | None:
    """Return why a candidate needs no more work, or None if it does.

    Args:
        goal: The objectives.
        candidate: A candidate with an outcome.
        best: The Pareto front so far.
    """
    outcome, stage = candidate.last, len(candidate.outcomes) - 1
    if outcome.error:
        return "failed"
    if outcome.violation:
        return "does not fit"
    if goal.is_feasible(outcome) and "drop" not in goal.objectives:
        return "good"
    if len(candidate.outcomes) >= len(candidate.stages(goal.efforts)):
        return "good" if goal.is_feasible(outcome) else "accuracy drop too large"
    if is_beaten(goal, candidate, best):
        return "dominated"
    if stage and outcome.drop > PATIENCE[min(stage, len(PATIENCE) - 1)] * max(goal.max_drop, MIN_ALLOWED):
        return "hopeless"
    return None


def is_beaten(goal: Goal, candidate: Candidate, best: Sequence[Candidate]) -> bool:
    """Return True if the front has a point that is no worse in every objective except accuracy."""
    names = [i for i, name in enumerate(goal.objectives) if name != "drop"]
    mine = goal.figures(candidate.last)
    others = (goal.figures(c.last) for c in best if c.trial != candidate.trial)
    return "drop" not in goal.objectives and any(all(o[i] <= mine[i] for i in names) for o in others)


def choose_next(goal: Goal, waiting: Sequence[Candidate], best: Sequence[Candidate]) -> Candidate | None:
    """Return the candidate to work on next, by its possible gain and the accuracy it must recover.

    Args:
        goal: The objectives.
        waiting: Candidates between two stages.
        best: The Pareto front so far.
    """
    alive = [c for c in waiting if not is_beaten(goal, c, best)]
    if not alive:
        return None
    scale = [max(v, 1e-12) for v in goal.figures(max(alive, key=lambda c: goal.figures(c.last)).last)]

    def closeness(candidate: Candidate) -> float:
        ratios = [a / b for a, b in zip(goal.figures(candidate.last), scale, strict=True)]
        gain = 1.0 - min(1.0, math.prod(max(r, 1e-6) for r in ratios) ** (1 / len(ratios)))
        # A drop after training counts more than one without.
        owed = max(0.0, candidate.last.drop - goal.max_drop) / (0.5 / 4 ** (len(candidate.outcomes) - 1))
        return float((0.1 + gain) / (0.1 + owed))

    return max(alive, key=closeness)


def choose_point(goal: Goal, best: Sequence[Candidate]) -> Candidate | None:
    """Return the point with the smallest product of objectives, or None if there is none."""
    if not best:
        return None
    return min(best, key=lambda c: (math.prod(max(v, 1e-12) for v in goal.figures(c.last)), c.trial))


def describe(goal: Goal, outcome: Outcome) -> str:
    """Return the figures of an outcome in words."""
    words: dict[str, Callable[[float], str]] = {
        "size": format_bytes,
        "gzip": lambda value: f"{format_bytes(value)} gzipped",
        "ram": lambda value: f"{format_bytes(value)} of RAM",
        "flash": lambda value: f"{format_bytes(value)} of flash",
        "macs": lambda value: f"{format_number(value)} MACs",
        "latency": lambda value: f"latency {format_number(value)}",
    }
    shown = [words[n](outcome.figures[n]) for n in goal.objectives if n in outcome.figures and n in words]
    return ", ".join([*shown, f"accuracy drop {format_number(outcome.drop)}"])

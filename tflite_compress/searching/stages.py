"""Which trials are worth more work: decisions on plain figures.

Each point climbs a ladder of efforts, as in successive halving (Jamieson and Talwalkar, arXiv:1502.07943;
asynchronously, Li et al., arXiv:1810.05934): bytes and latency are known without training, so most points
end there, and training goes to those that would better what has been found.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tflite_compress.searching.job import Outcome
from tflite_compress.searching.space import Effort, ladder

EFFORTS = (Effort(0, False), Effort(200, False), Effort(900, True), Effort(2700, True))
# Largest drop with which a point is trained further, in multiples of the allowed one, by stage reached.
PATIENCE = (math.inf, 12.0, 4.0)
MIN_ALLOWED = 0.005  # multiples of a smaller drop than this say nothing

Figures = tuple[float, ...]


@dataclass(frozen=True)
class Candidate:
    """A point and what is known of it.

    Attributes:
        trial: Number of its trial.
        values: The point.
        outcomes: What came out so far, one for each stage.
        attempts: How often its next stage was begun, also by searches that were killed meanwhile.
        crashes: How often its next stage took the worker process down.
    """

    trial: int
    values: Mapping[str, Any]
    outcomes: tuple[Outcome, ...] = ()
    attempts: int = 0
    crashes: int = 0

    @property
    def last(self) -> Outcome:
        """What came out last."""
        return self.outcomes[-1]

    def stages(self, efforts: tuple[Effort, ...] = EFFORTS) -> tuple[Effort, ...]:
        """The efforts it can be given."""
        return ladder(self.values, efforts)


@dataclass(frozen=True)
class Goal:
    """What is wanted.

    Attributes:
        objectives: What is minimized.
        max_drop: Accuracy that may be lost.
        efforts: The ladder.
    """

    objectives: tuple[str, ...]
    max_drop: float
    efforts: tuple[Effort, ...] = field(default=EFFORTS)

    def figures(self, outcome: Outcome) -> Figures:
        """The objectives of an outcome; infinite where a figure is missing."""
        return tuple(outcome.figures.get(name, math.inf) for name in self.objectives)

    def feasible(self, outcome: Outcome) -> bool:
        """True for a file that keeps the accuracy and all limits."""
        return not outcome.error and not outcome.violation and outcome.drop <= self.max_drop


def dominates(first: Figures, second: Figures) -> bool:
    """True where ``first`` is nowhere worse and somewhere better."""
    return all(a <= b for a, b in zip(first, second, strict=True)) and first != second


def front(goal: Goal, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Feasible candidates that no other dominates, by the first objective; of equal ones the first."""
    good = [c for c in candidates if c.outcomes and goal.feasible(c.last)]
    kept: dict[Figures, Candidate] = {}
    for candidate in good:
        figures = goal.figures(candidate.last)
        if not any(dominates(goal.figures(other.last), figures) for other in good):
            kept.setdefault(figures, candidate)
    return [kept[figures] for figures in sorted(kept)]


def finished(goal: Goal, candidate: Candidate, best: Sequence[Candidate]) -> str:
    """Why a candidate needs no more work; an empty string where it does.

    Args:
        goal: What is wanted.
        candidate: One with an outcome.
        best: The front so far.
    """
    outcome, stage = candidate.last, len(candidate.outcomes) - 1
    if outcome.error:
        return "failed"
    if outcome.violation:
        return "does not fit"
    if goal.feasible(outcome) and "drop" not in goal.objectives:
        return "good"
    if len(candidate.outcomes) >= len(candidate.stages(goal.efforts)):
        return "good" if goal.feasible(outcome) else "loses too much"
    if beaten(goal, candidate, best):
        return "dominated"
    if stage and outcome.drop > PATIENCE[min(stage, len(PATIENCE) - 1)] * max(goal.max_drop, MIN_ALLOWED):
        return "hopeless"
    return ""


def beaten(goal: Goal, candidate: Candidate, best: Sequence[Candidate]) -> bool:
    """True where the front already has something no worse in every objective but accuracy."""
    names = [i for i, name in enumerate(goal.objectives) if name != "drop"]
    mine = goal.figures(candidate.last)
    others = (goal.figures(c.last) for c in best if c.trial != candidate.trial)
    return "drop" not in goal.objectives and any(all(o[i] <= mine[i] for i in names) for o in others)


def most_promising(goal: Goal, waiting: Sequence[Candidate], best: Sequence[Candidate]) -> Candidate | None:
    """The candidate to work on next: what it would gain, against how much accuracy it has yet to win back.

    Args:
        goal: What is wanted.
        waiting: Candidates between two stages.
        best: The front so far.
    """
    alive = [c for c in waiting if not beaten(goal, c, best)]
    if not alive:
        return None
    scale = [max(v, 1e-12) for v in goal.figures(max(alive, key=lambda c: goal.figures(c.last)).last)]

    def closeness(candidate: Candidate) -> float:
        ratios = [a / b for a, b in zip(goal.figures(candidate.last), scale, strict=True)]
        gain = 1.0 - min(1.0, math.prod(max(r, 1e-6) for r in ratios) ** (1 / len(ratios)))
        # A drop after training tells more than one without.
        owed = max(0.0, candidate.last.drop - goal.max_drop) / (0.5 / 4 ** (len(candidate.outcomes) - 1))
        return float((0.1 + gain) / (0.1 + owed))

    return max(alive, key=closeness)


def chosen(goal: Goal, best: Sequence[Candidate]) -> Candidate | None:
    """The point with the least product of objectives: a share less of one counts like that of another."""
    if not best:
        return None
    return min(best, key=lambda c: (math.prod(max(v, 1e-12) for v in goal.figures(c.last)), c.trial))


def describe(goal: Goal, outcome: Outcome) -> str:
    """An outcome's figures in words."""
    words = {"size": "{:,.0f} bytes", "gzip": "{:,.0f} bytes gzipped", "ram": "{:,.0f} bytes of RAM"}
    words |= {
        "flash": "{:,.0f} bytes of flash",
        "macs": "{:,.0f} MACs",
        "drop": "",
        "latency": "latency {:.3g}",
    }
    shown = [
        words[n].format(outcome.figures[n]) for n in goal.objectives if n in outcome.figures and words[n]
    ]
    return ", ".join([*shown, f"loses {outcome.drop:.4f}"])

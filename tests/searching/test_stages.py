from __future__ import annotations

import math
from typing import Any

import pytest

from tflite_compress.searching.job import Outcome
from tflite_compress.searching.stages import (
    Candidate,
    Goal,
    choose_next,
    choose_point,
    dominates,
    end_reason,
    is_beaten,
    pareto_front,
)

GOAL = Goal(("size", "latency"), 0.01)
TRAINED = {"keep:a": 0.5}


def outcome(
    size: float, latency: float, drop: float, violation: str | None = None, error: str | None = None
) -> Outcome:
    return Outcome({"size": size, "latency": latency, "drop": drop}, drop, violation, 1.0, "", error)


def candidate(trial: int, *outcomes: Outcome, values: dict[str, Any] = TRAINED) -> Candidate:
    return Candidate(trial, values, outcomes)


def test_dominance_needs_to_be_better_somewhere() -> None:
    assert dominates((1, 2), (1, 3)) and not dominates((1, 2), (1, 2)) and not dominates((1, 3), (2, 2))


def test_the_front_holds_what_is_good_and_not_dominated() -> None:
    found = pareto_front(
        GOAL,
        [
            candidate(0, outcome(10, 10, 0.0)),
            candidate(1, outcome(5, 20, 0.009)),
            candidate(2, outcome(11, 11, 0.0)),  # dominated by 0
            candidate(3, outcome(1, 1, 0.02)),  # accuracy drop too large
            candidate(4, outcome(1, 1, 0.0, violation="flash")),
            candidate(5, outcome(10, 10, -0.1)),  # the same figures as 0
            candidate(6),
        ],
    )
    assert [c.trial for c in found] == [1, 0]


def test_how_much_a_point_is_trained() -> None:
    one = outcome(10, 10, 0.0)
    assert [candidate(0, *[one] * n).training(GOAL.efforts) for n in range(5)] == [
        "none", "none", "part", "part", "full",
    ]  # fmt: skip
    assert candidate(0, one, values={}).training(GOAL.efforts) == "full"  # needs no training


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ((outcome(10, 10, 0.9),), None),  # untrained: nothing is known yet
        ((outcome(10, 10, 0.9), outcome(10, 10, 0.11)), None),
        ((outcome(10, 10, 0.9), outcome(10, 10, 0.13)), "hopeless"),
        ((outcome(10, 10, 0.9), outcome(10, 10, 0.1), outcome(10, 10, 0.05)), "hopeless"),
        ((outcome(10, 10, 0.01),), "good"),
        ((outcome(40, 40, 0.5),), "dominated"),
        ((outcome(10, 10, 0.0, violation="flash"),), "does not fit"),
        ((outcome(10, 10, 0.0, error="no"),), "failed"),
        ((outcome(10, 10, 0.9), *[outcome(10, 10, 0.02)] * 3), "accuracy drop too large"),
    ],
)
def test_when_a_candidate_is_done(outcomes: tuple[Outcome, ...], why: str | None) -> None:
    best = [candidate(9, outcome(30, 30, 0.0))]
    assert end_reason(GOAL, candidate(1, *outcomes), best) == why


def test_without_training_there_are_two_rungs() -> None:
    bits = {"bits:a": 4}
    first = candidate(1, outcome(10, 10, 0.02), values=bits)
    assert len(first.stages()) == 2 and end_reason(GOAL, first, []) is None
    assert (
        end_reason(GOAL, candidate(1, *[outcome(10, 10, 0.02)] * 2, values=bits), [])
        == "accuracy drop too large"
    )


def test_where_accuracy_is_an_objective_a_good_point_may_get_better() -> None:
    goal = Goal(("size", "drop"), 0.05)
    assert end_reason(goal, candidate(1, outcome(10, 10, 0.04)), []) is None
    assert not is_beaten(goal, candidate(1, outcome(10, 10, 0.04)), [candidate(2, outcome(5, 5, 0.0))])


def test_training_goes_where_there_is_most_to_gain_for_what_is_owed() -> None:
    best = [candidate(0, outcome(30, 30, 0.0))]
    small_near, small_far = candidate(1, outcome(10, 10, 0.2)), candidate(2, outcome(10, 10, 0.6))
    large_near, beaten_one = candidate(3, outcome(28, 28, 0.2)), candidate(4, outcome(31, 31, 0.02))
    waiting = [beaten_one, large_near, small_far, small_near]
    assert choose_next(GOAL, waiting, best) == small_near
    assert choose_next(GOAL, [beaten_one], best) is None
    almost = candidate(5, outcome(12, 12, 0.3), outcome(12, 12, 0.012))
    assert choose_next(GOAL, [small_near, almost], best) == almost


def test_the_chosen_point_has_the_least_product() -> None:
    points = [candidate(i, outcome(*f, 0.0)) for i, f in enumerate([(10, 100), (20, 20), (100, 10)])]
    picked = choose_point(GOAL, points)
    assert picked is not None and picked.trial == 1
    assert choose_point(GOAL, []) is None


def test_a_missing_figure_is_never_good() -> None:
    bare = Candidate(0, TRAINED, (Outcome({"size": 5}, math.inf, None, 1.0, "", "refused"),))
    assert GOAL.figures(bare.last) == (5, math.inf) and pareto_front(GOAL, [bare]) == []

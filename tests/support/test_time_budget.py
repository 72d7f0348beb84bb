"""A time budget ends when its time is over, and names what was cut."""

from __future__ import annotations

from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_used_when_its_time_is_over() -> None:
    clock = Clock()
    budget = TimeBudget(60, clock)
    assert not budget.is_used and budget.left == 60
    clock.now = 159.0
    assert not budget.is_used and budget.left == 1
    clock.now = 160.0
    assert budget.is_used and budget.left == 0


def test_without_seconds_it_never_ends() -> None:
    assert not NO_BUDGET.is_used and NO_BUDGET.left == float("inf") and NO_BUDGET.notes == ()


def test_what_was_cut_is_named_once() -> None:
    budget = TimeBudget(90)
    assert not budget.notes and not budget.has_cut
    for text in (
        "training stopped after 3 of 9 steps",
        "training stopped after 3 of 9 steps",
        "details left out",
    ):
        budget.cut(text)
    (note,) = budget.notes
    assert (note.code, note.severity) == ("time-budget-used", "warning")
    assert note.text == (
        "the time budget of 90 s was used: training stopped after 3 of 9 steps; details left out"
    )


def test_a_share_ends_earlier_and_records_what_it_cuts_in_the_whole() -> None:
    clock = Clock()
    budget = TimeBudget(100, clock)
    clock.now += 20
    part = budget.share(0.25)
    assert part.left == 20
    clock.now += 20
    assert part.is_used and not budget.is_used
    part.cut("training stopped")
    assert budget.has_cut and "training stopped" in budget.notes[0].text
    assert NO_BUDGET.share(0.1) is NO_BUDGET


def test_it_says_how_many_samples_it_affords_judging_by_those_run() -> None:
    clock = Clock()
    budget = TimeBudget(100, clock)
    start = budget.now
    clock.now += 10  # 8 samples took 10 s, and 90 s are left
    assert budget.affords(1000, 8, start) == 72 and budget.affords(50, 8, start) == 50
    clock.now += 90
    assert budget.affords(50, 8, start) == 0
    assert NO_BUDGET.affords(50, 8, NO_BUDGET.now) == 50

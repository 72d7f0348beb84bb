"""Assign work to the workers until the time budget is used: trials without training first."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, field, replace

from tflite_compress.searching.engine import Reply, Slot, WorkerDiedError
from tflite_compress.searching.job import Job, Outcome
from tflite_compress.searching.space import Space
from tflite_compress.searching.stages import (
    Candidate,
    Goal,
    choose_next,
    describe,
    end_reason,
    pareto_front,
)
from tflite_compress.searching.study import MAX_ATTEMPTS, MAX_CRASHES, Study
from tflite_compress.support.errors import CompressError
from tflite_compress.support.progress import Advance, Progress

COLD = 10  # trials without training before the first training
FRESH_BETWEEN = 2  # trials without training between two trainings
TICK_S = 1.0
WORTH_STARTING = 0.8  # a stage starts only if this fraction of its expected time is left

Keep = Callable[[Candidate, Outcome], None]


@dataclass(frozen=True)
class Budget:
    """Limits on time and trials.

    Attributes:
        seconds: Time limit, including earlier runs of the same search.
        spent: Seconds used by earlier runs.
        trials: Maximum number of trials; None for no limit.
        started: ``time.monotonic()`` at the start of this run.
    """

    seconds: float
    spent: float = 0.0
    trials: int | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def used(self) -> float:
        """Seconds used, including earlier runs."""
        return self.spent + time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.seconds - self.used


@dataclass
class State:
    """The state of a search.

    Attributes:
        ended: Finished candidates with a file.
        waiting: Candidates between two stages.
        asked: Number of points drawn in all runs.
        fresh: Number of trials since the last training began.
        seconds: Seconds of each stage, by effort.
    """

    ended: list[Candidate]
    waiting: list[Candidate]
    asked: int
    fresh: int = 0
    seconds: dict[tuple[int, bool], list[float]] = field(default_factory=dict)

    @property
    def known(self) -> Iterable[Candidate]:
        """Every candidate with an outcome."""
        return [*self.ended, *(c for c in self.waiting if c.outcomes)]


def explore(
    study: Study,
    space: Space,
    goal: Goal,
    slots: list[Slot],
    budget: Budget,
    keep: Keep,
    progress: Progress,
) -> State:
    """Search until the budget is used or no work is left.

    Args:
        study: The study that records trials.
        space: The search space.
        goal: The objectives.
        slots: The workers.
        budget: Limits on time and trials.
        keep: Called with each feasible file, to store it.
        progress: Progress of the search.

    Returns:
        The state of the search. A continued search resumes the waiting candidates.
    """
    ended, waiting = study.candidates()
    waiting = [c for c in waiting if not _given_up(study, c)]
    state = State(ended, waiting, len(study.records()))
    running: dict[Reply, tuple[Slot, Candidate]] = {}
    free = list(slots)
    with progress.step("searching", int(budget.seconds)) as advance:
        shown = _show(advance, 0.0, budget)
        while budget.left > 0:
            while free and (candidate := _next(state, study, space, goal, budget)) is not None:
                slot = free.pop()
                running[_submit(slot, study.note_attempt(candidate), goal)] = (slot, candidate)
            if not running:
                break
            done, _ = wait(running, timeout=min(TICK_S, max(0.01, budget.left)), return_when=FIRST_COMPLETED)
            for future in done:
                slot, candidate = running.pop(future)
                _take(future, slot, candidate, state, study, goal, keep, progress)
                study.set_attribute("spent_s", budget.used)
                free.append(slot)
            shown = _show(advance, shown, budget)
    for _, candidate in running.values():  # stopped by the time limit, not by a crash
        study.forget_attempt(candidate)
        state.waiting.append(candidate)
    return state


def _show(advance: Advance, shown: float, budget: Budget) -> float:
    now = min(budget.used, budget.seconds)
    advance(int(now) - int(shown))
    return now


def _given_up(study: Study, candidate: Candidate) -> bool:
    """End a candidate whose next stage crashed its worker twice, or was started too often."""
    if candidate.crashes >= MAX_CRASHES:
        why = "crashed its worker twice"
    elif candidate.attempts >= MAX_ATTEMPTS:
        why = f"was started {MAX_ATTEMPTS} times and never ended"
    else:
        return False
    study.conclude(replace(candidate, outcomes=()), why)
    return True


def _submit(slot: Slot, candidate: Candidate, goal: Goal) -> Reply:
    stage = len(candidate.outcomes)
    effort = candidate.stages(goal.efforts)[stage]
    return slot.call("run", Job(candidate.trial, stage, dict(candidate.values), effort))


def _next(state: State, study: Study, space: Space, goal: Goal, budget: Budget) -> Candidate | None:
    """Return the next candidate to work on, new or waiting, or None if none fits the remaining time."""
    unfinished = next((c for c in state.waiting if not c.outcomes), None)
    if unfinished is not None:
        state.waiting.remove(unfinished)
        return unfinished
    may_ask = budget.trials is None or state.asked < budget.trials
    may_ask = may_ask and _expected(state, 0, False) * WORTH_STARTING <= budget.left
    affordable = [
        c for c in state.waiting if _seconds_of_next(state, c, goal) * WORTH_STARTING <= budget.left
    ]
    training = choose_next(goal, affordable, pareto_front(goal, state.known))
    if training is not None and (not may_ask or (state.asked >= COLD and state.fresh >= FRESH_BETWEEN)):
        state.fresh = 0
        state.waiting.remove(training)
        return training
    if not may_ask:
        return None
    state.asked += 1
    state.fresh += 1
    return study.ask(space)


def _seconds_of_next(state: State, candidate: Candidate, goal: Goal) -> float:
    effort = candidate.stages(goal.efforts)[len(candidate.outcomes)]
    return _expected(state, effort.steps, effort.repairs)


def _expected(state: State, steps: int, repairs: bool) -> float:
    """Return the expected seconds of a stage: their median so far, or scaled from the next shorter stage."""
    known = {effort: statistics.median(times) for effort, times in state.seconds.items()}
    if (steps, repairs) in known:
        return known[(steps, repairs)]
    shorter = [(effort[0], seconds) for effort, seconds in known.items() if effort[0] < steps]
    if not shorter:
        return 0.0
    before, seconds = max(shorter)
    return seconds * (steps / before if before else 2.0)


def _take(
    future: Reply,
    slot: Slot,
    candidate: Candidate,
    state: State,
    study: Study,
    goal: Goal,
    keep: Keep,
    progress: Progress,
) -> None:
    """Record the outcome of a job, and end its candidate or let it wait for the next stage."""
    name = f"trial {candidate.trial}"
    try:
        outcome: Outcome = future.result()
    except WorkerDiedError as error:
        slot.restart()
        again = study.note_crash(candidate)
        progress.say(f"{name}: {error}; a new one was started")
        if not _given_up(study, again):
            state.waiting.append(again)
        return
    except CompressError as error:
        outcome = Outcome({}, float("inf"), None, 0.0, "", error.message)
    effort = candidate.stages(goal.efforts)[len(candidate.outcomes)]
    state.seconds.setdefault((effort.steps, effort.repairs), []).append(outcome.seconds)
    known = study.note_outcome(candidate, outcome)
    if goal.is_feasible(outcome):
        keep(known, outcome)
    why = end_reason(goal, known, pareto_front(goal, state.known))
    found = outcome.error or outcome.violation or describe(goal, outcome)
    after = f" after {effort.steps} steps" if effort.steps else ""
    progress.say(f"{name}: {outcome.in_short}{after}: {found}" + (f" ({why})" if why else ""))
    if not why:
        state.waiting.append(known)
        return
    study.conclude(known, why)
    if outcome.figures:
        state.ended.append(known)

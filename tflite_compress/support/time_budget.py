"""A time budget: long work stops when it is used, and keeps the best so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from tflite_compress.support.notes import Note


class TimeBudget:
    """The time that is left for a run, and what was cut short because it ended.

    Like progress, it is a service that passes share: they ask whether it is used, and say what they left out.

    Args:
        seconds: The budget in seconds, from now; None sets none.
        clock: Returns the time in seconds.
    """

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds
        self._cut: dict[str, None] = {}

    @property
    def is_used(self) -> bool:
        """True if the time is over."""
        return self._end is not None and self._clock() >= self._end

    @property
    def left(self) -> float:
        """Seconds that are left, 0 at least; infinite without a budget."""
        return float("inf") if self._end is None else max(0.0, self._end - self._clock())

    def share(self, part: float) -> TimeBudget:
        """Return a budget that ends when a part of the time that is left now is over.

        What it cuts is recorded in this budget too.

        Args:
            part: From 0 to 1.
        """
        if self._end is None:
            return self
        shared = TimeBudget(self.seconds, self._clock)
        shared._end = self._clock() + part * self.left
        shared._cut = self._cut
        return shared

    @property
    def has_cut(self) -> bool:
        """True if something was cut short or left out."""
        return bool(self._cut)

    def cut(self, text: str) -> None:
        """Record what was cut short or left out, for the notes of the result.

        Args:
            text: What was cut, with figures: ``training stopped after 120 of 400 steps``.
        """
        self._cut[text] = None

    def affords(self, count: int, tried: int, start: float) -> int:
        """Return how many of ``count`` samples fit the time that is left, judging by those run so far.

        Args:
            count: Samples that are wanted.
            tried: Samples that were run.
            start: When their run began, in seconds of the budget's clock.
        """
        seconds = max(self._clock() - start, 1e-3)
        return count if self._end is None else min(count, int(tried * self.left / seconds))

    @property
    def now(self) -> float:
        """The time of the budget's clock in seconds."""
        return self._clock()

    @property
    def notes(self) -> tuple[Note, ...]:
        """A warning that names everything that was cut; empty if nothing was."""
        if not self._cut:
            return ()
        text = f"the time budget of {self.seconds:g} s was used: {'; '.join(self._cut)}"
        return (Note("time-budget-used", text, "warning"),)


NO_BUDGET = TimeBudget()

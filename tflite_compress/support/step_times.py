"""How long the steps of a run take, as its progress names them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

from tflite_compress.support.progress import Advance, Progress


class TimedProgress:
    """Passes progress on, and adds up the time of each step without the steps inside it.

    Args:
        progress: Where the progress goes.
        seconds: Time of steps that have run before.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        progress: Progress,
        seconds: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._progress, self._clock = progress, clock
        self._seconds = dict(seconds or {})
        self._inside: list[float] = []  # for each step that runs: time of the finished steps inside it

    @property
    def seconds(self) -> dict[str, float]:
        """Time of each step by its title, in the order in which they first ended, rounded to ms."""
        return {title: round(seconds, 3) for title, seconds in self._seconds.items()}

    def continued(self) -> TimedProgress:
        """Return another one that begins with the times of this one."""
        return TimedProgress(self._progress, self._seconds, self._clock)

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Time a step, and report it."""
        start = self._clock()
        self._inside.append(0.0)
        try:
            with self._progress.step(title, total) as advance:
                yield advance
        finally:
            took, inside = self._clock() - start, self._inside.pop()
            self._seconds[title] = self._seconds.get(title, 0.0) + took - inside
            if self._inside:
                self._inside[-1] += took

    def say(self, text: str) -> None:
        """Print one line for the user."""
        self._progress.say(text)

"""Report progress: nothing from Python, live bars on a terminal, one line per finished step elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from tflite_compress.support.quantities import format_number, format_seconds
from tflite_compress.support.terminal import console_on

Advance = Callable[[int], None]
LINE_SECONDS = 10.0  # between lines about a step, where the output is no terminal
PACE_LINES = 3  # the pace is that since the third last line


class Progress(Protocol):
    """Receives the progress of a run."""

    def step(self, title: str, total: int | None = None) -> contextlib.AbstractContextManager[Advance]:
        """Start a step.

        Args:
            title: What is done, for example ``training``.
            total: Number of units; None if unknown.

        Returns:
            A context manager that yields a function to report finished units to.
        """

    def say(self, text: str) -> None:
        """Print one line for the user."""


class Silent:
    """Progress that prints nothing."""

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Ignore the step."""
        yield lambda units: None

    def say(self, text: str) -> None:
        """Ignore the line."""


class Lines:
    """Says from time to time how far a step is: its units, of how many, and the time left.

    The time left follows from the pace of the last lines. The first units are not counted: they include the
    start of the step, such as the compilation of a training step, or were done by an earlier run.

    Args:
        title: What is done.
        total: Number of units; None if unknown.
        say: Prints one line.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title, self._total, self._say, self._clock = title, total, say, clock
        self._done = 0
        self._start = self._last = clock()
        self._marks: deque[tuple[float, int]] = deque(maxlen=PACE_LINES)  # time and units done

    def __call__(self, units: int) -> None:
        """Count finished units, and print a line if the last one is ten seconds ago."""
        self._done += units
        now = self._clock()
        if now - self._last >= LINE_SECONDS:
            self._last = now
            of = f" of {self._total:,}" if self._total else ""
            self._say(f"  {self._title}: {self._done:,}{of}{self._time_left(now)}")
            self._marks.append((now, self._done))
        elif not self._marks:
            self._marks.append((now, self._done))

    def finish(self) -> None:
        """Print what the step did, and how long it took."""
        seconds = self._clock() - self._start
        rate = f", {format_number(self._done / seconds)} per s" if self._done > 1 and seconds >= 1 else ""
        units = f"{self._done:,} in " if self._done > 1 else ""
        self._say(f"{self._title}: {units}{format_seconds(seconds)}{rate}")

    def _time_left(self, now: float) -> str:
        if not self._total or self._done >= self._total or not self._marks:
            return ""
        time_then, done_then = self._marks[0]
        pace = (now - time_then) / max(1, self._done - done_then)
        return f", about {pace * (self._total - self._done):,.0f} s left"


class Terminal:
    """Live bars on standard error; without a terminal a line per finished step, more in long ones."""

    def __init__(self) -> None:
        import sys

        from rich.progress import (
            BarColumn,
            ProgressColumn,
            SpinnerColumn,
            Task,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars
        from rich.text import Text

        class Counted(ProgressColumn):
            def render(self, task: Task) -> Text:
                if task.total is None:
                    return Text("")
                rate = f", {format_number(task.speed)} per s" if task.speed else ""
                return Text(f"{task.completed:,.0f} of {task.total:,.0f}{rate}")

        self._console = console_on(sys.stderr)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            Counted(),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show a bar while the step runs; without a terminal, print a line when it is done."""
        if not self._console.is_terminal:
            lines = Lines(title, total, self.say)
            yield lines
            lines.finish()
            return
        task = self._bars.add_task(title, total=total)
        self._bars.start()
        try:
            yield lambda units: self._bars.advance(task, units)
        finally:
            self._bars.remove_task(task)
            if not self._bars.tasks:
                self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text, markup=False, soft_wrap=not self._console.is_terminal)

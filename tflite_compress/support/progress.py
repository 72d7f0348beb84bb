"""Report progress: nothing from Python, progress bars on a terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

Advance = Callable[[int], None]
SECONDS_BETWEEN_LINES = 10.0


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


def _counted(title: str, total: int | None, say: Callable[[str], None]) -> Advance:
    """Return a function that counts finished units and says every ten seconds how many and what is left."""
    start = said = time.monotonic()
    done = 0

    def advance(units: int) -> None:
        nonlocal done, said
        done += units
        now = time.monotonic()
        if total and done < total and now - said >= SECONDS_BETWEEN_LINES:
            said = now
            left = (now - start) / max(1, done) * (total - done)
            say(f"{title}: {done:,} of {total:,}, about {left:.0f} s left")

    return advance


class Terminal:
    """Progress bars on standard error; without a terminal plain lines, in long steps every ten seconds."""

    def __init__(self) -> None:
        import sys

        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        self._console = Console(file=sys.stderr, highlight=False)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show a bar while the step runs; without a terminal, print its title."""
        if not self._console.is_terminal:
            self._console.print(f"{title} ...", markup=False)
            yield _counted(title, total, self.say)
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
        self._console.print(text, markup=False)

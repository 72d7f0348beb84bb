"""Report progress: nothing from Python, progress bars on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

Advance = Callable[[int], None]


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


class Terminal:
    """Progress bars on standard error; plain lines if it is not a terminal."""

    def __init__(self) -> None:
        import sys

        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._console = Console(file=sys.stderr, highlight=False)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
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
            yield lambda units: None
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

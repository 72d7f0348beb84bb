"""Progress of long work: silent from Python, drawn by rich on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Where steps report to."""

    def step(self, title: str, total: int | None = None) -> contextlib.AbstractContextManager[Advance]:
        """Open a step of ``total`` units (None: unknown) and give the function that advances it."""

    def say(self, text: str) -> None:
        """Tell the user something worth a line."""


class Silent:
    """Reports nothing."""

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Do nothing with the step."""
        yield lambda units: None

    def say(self, text: str) -> None:
        """Say nothing."""


class Terminal:
    """Draws steps as rich progress bars on standard error; plain lines where that is no terminal."""

    def __init__(self) -> None:
        import sys

        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._console = Console(file=sys.stderr, highlight=False)
        self._bars: Any = Bars(
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
        """Draw a bar while the step runs; without a terminal, print its title."""
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

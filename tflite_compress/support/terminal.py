"""Tables and text on the terminal; rich is imported only when something is printed."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table
    from rich.text import Text

MIN_COLUMNS, DEFAULT_COLUMNS = 40, 120
TEXT_COLUMNS = 16  # a column of text is folded to this width before the table is split
GAP, EDGES = 3, 2  # between two columns; at both sides of the table


def console() -> Console:
    """Return a console on standard output, as wide as the terminal."""
    width = shutil.get_terminal_size((DEFAULT_COLUMNS, 24)).columns
    return console_on(sys.stdout, max(MIN_COLUMNS, width))


def console_on(file: IO[str], width: int | None = None) -> Console:
    """Return a console that raises ``BrokenPipeError`` where the reader of a pipe is gone.

    rich ends the process with exit code 1 instead, which means here that a check failed.

    Args:
        file: The stream to print to.
        width: Columns; those of the terminal by default.
    """
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise  # the BrokenPipeError that is being handled

    return Piped(file=file, highlight=False, width=width)


def print_wrapped(out: Console, text: str) -> None:
    """Print text line by line; a long line goes on below, indented by two more columns."""
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()))
        wrapped = textwrap.wrap(
            line, out.width, subsequent_indent=f"{indent}  ", break_on_hyphens=False, drop_whitespace=True
        )
        for part in wrapped or [""]:
            out.print(part, markup=False, soft_wrap=True)


def style(text: str, color: str) -> Text:
    """Return text in a colour, for a cell of a table."""
    from rich.text import Text

    return Text(text, style=color)


class Grid:
    """A table that fits the terminal: numbers are never wrapped, what is too wide continues below.

    Where columns do not fit beside each other, the table is printed in parts, each with the first column.

    Args:
        columns: Headings.
        right: Indices of right-aligned columns; their cells are never wrapped.
    """

    def __init__(self, columns: Sequence[str], right: Sequence[int] = ()) -> None:
        self._columns, self._right = tuple(columns), frozenset(right)
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        """Add a row. Text is shown as it is, brackets included."""
        from rich.text import Text

        self._rows.append(tuple(Text(cell) if isinstance(cell, str) else cell for cell in cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Yield the parts of the table; rich calls this."""
        for part in self._parts(options.max_width):
            yield self._table(part, options.max_width)

    def _parts(self, width: int) -> list[list[int]]:
        """Return the columns of each part. Columns without a cell are left out."""
        first = min(self._longest(0), self._widest_first(width))
        parts: list[list[int]] = []
        left = -1
        for index in range(1, len(self._columns)):
            if self._rows and not any(index < len(row) and row[index].plain for row in self._rows):
                continue
            needed = GAP + self._least(index)
            if needed > left:
                parts.append([0])
                left = width - first - EDGES
            parts[-1].append(index)
            left -= needed
        return parts or [[0]]

    def _table(self, part: Sequence[int], width: int) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for index, column_width in self._widths(part, width).items():
            table.add_column(
                Text(self._columns[index]),
                justify="right" if index in self._right else "left",
                overflow="fold",
                no_wrap=index in self._right,
                width=column_width,
            )
        for row in self._rows:
            table.add_row(*(row[index] if index < len(row) else "" for index in part))
        return table

    def _widths(self, part: Sequence[int], width: int) -> dict[int, int]:
        """Return the width of each column of a part: what it needs, and for text what is left."""
        first = min(self._longest(0), self._widest_first(width))
        widths = {index: self._least(index) if index else first for index in part}
        left = width - EDGES - GAP * (len(part) - 1) - sum(widths.values())
        for index in widths:
            more = max(0, min(left, self._longest(index) - widths[index]))
            widths[index] += more
            left -= more
        return widths

    @staticmethod
    def _widest_first(width: int) -> int:
        return max(TEXT_COLUMNS, width * 2 // 5)

    def _least(self, index: int) -> int:
        """Return the width a column needs."""
        longest = self._longest(index)
        return longest if index in self._right else min(longest, TEXT_COLUMNS)

    def _longest(self, index: int) -> int:
        cells = [row[index].plain for row in self._rows if index < len(row)]
        return max(len(line) for cell in (self._columns[index], *cells) for line in cell.splitlines() or [""])


def grid(*columns: str, right: tuple[int, ...] = ()) -> Grid:
    """Return a table without rows.

    Args:
        columns: Headings.
        right: Indices of right-aligned columns; their cells are never wrapped.
    """
    return Grid(columns, right)

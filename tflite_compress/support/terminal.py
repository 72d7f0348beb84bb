"""Tables on the terminal; rich is imported only when one is printed."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """Return a console on standard output, at least 80 columns wide."""
    from rich.console import Console

    width = shutil.get_terminal_size((120, 24)).columns
    return Console(file=sys.stdout, highlight=False, width=max(80, width))


def grid(*columns: str, right: tuple[int, ...] = ()) -> Table:
    """Return a table without rows.

    Args:
        columns: Headings.
        right: Indices of right-aligned columns.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(
            column,
            justify="right" if index in right else "left",
            overflow="fold",
            no_wrap=index == 0,
            min_width=12 if index == 1 else None,
        )
    return table

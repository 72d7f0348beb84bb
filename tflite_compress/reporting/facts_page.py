"""Pages of figures and tables: what the pages of single commands are made of.

A page is a module with a function that turns a command's result into a :class:`FactsPage`. It needs no
package but jinja2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tflite_compress.reporting.html import markup, render, render_page

SHORT = 24  # letters of a text that stays in one line, and of a word that is not broken


@dataclass(frozen=True)
class Card:
    """One large figure.

    Attributes:
        name: What it is.
        value: The figure with its unit.
        detail: What it rests on; None if nothing is to be said.
    """

    name: str
    value: str
    detail: str | None = None


@dataclass(frozen=True)
class Cards:
    """Large figures side by side."""

    template: ClassVar[str] = "facts/cards.html"
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Table:
    """A table. Columns without a text are left out, also those of unknown figures.

    Attributes:
        title: Its heading.
        heads: Headings of the columns.
        rows: Texts of the cells.
        numbers: Indices of right-aligned columns.
        bars: A share of 0 to 1 for each row, drawn as a bar in a last column; empty for no such column.
        lead: A sentence above the table; None if there is none.
        unbroken: Indices of columns whose texts stay in one line, besides numbers.
    """

    template: ClassVar[str] = "facts/table.html"
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    bars: tuple[float, ...] = ()
    lead: str | None = None
    unbroken: frozenset[int] = frozenset()

    @property
    def columns(self) -> tuple[tuple[int, str, str], ...]:
        """Index, heading and style of each column that is shown."""
        shown = [n for n in range(len(self.heads)) if any(row[n] not in ("", "?") for row in self.rows)]
        return tuple((n, self.heads[n], self._style(n)) for n in shown)

    def _style(self, column: int) -> str:
        """Return the class of a column: numbers, one line, or lines that are broken only between words."""
        if column in self.numbers:
            return "n"
        texts = [row[column] for row in self.rows]
        if column in self.unbroken or max(map(len, texts)) <= SHORT:
            return "mark"
        words = [word for text in texts for word in text.split()]
        return "prose" if max(map(len, words)) <= SHORT else "long"


@dataclass(frozen=True)
class Drawing:
    """A drawing.

    Attributes:
        title: Its heading.
        svg: An ``<svg>`` element whose texts are escaped.
        caption: A sentence below it.
    """

    template: ClassVar[str] = "facts/drawing.html"
    title: str
    svg: str
    caption: str


@dataclass(frozen=True)
class NetworkGraph:
    """A network graph.

    Attributes:
        title: Its heading.
        caption: A sentence above it.
        html: What :func:`tflite_compress.reporting.graph_svg.network_graph` returns.
    """

    template: ClassVar[str] = "sections/graph.html"
    title: str
    caption: str
    html: str


@dataclass(frozen=True)
class Lines:
    """Sentences.

    Attributes:
        title: Their heading; None if they go on above.
        lines: The sentences.
    """

    template: ClassVar[str] = "facts/lines.html"
    title: str | None
    lines: tuple[str, ...]


Block = Cards | Table | Drawing | NetworkGraph | Lines


@dataclass(frozen=True)
class FactsPage:
    """A page.

    Attributes:
        title: Its heading.
        lead: What it shows, in a sentence.
        blocks: Its parts; tables without rows and lists without lines are left out.
    """

    title: str
    lead: str
    blocks: tuple[Block, ...]


def facts_html(page: FactsPage) -> str:
    """Render a page as HTML that loads nothing."""
    parts = [markup(block_html(block)) for block in page.blocks if _has_content(block)]
    return render_page("facts.html", title=page.title, lead=page.lead, parts=parts)


def shares_of_largest(values: Sequence[float]) -> tuple[float, ...]:
    """Return values as shares of the largest one, for bars and colours; 0 for values below 0."""
    largest = max(values, default=0.0)
    return tuple(max(0.0, value) / largest if largest > 0 else 0.0 for value in values)


def block_html(block: Block) -> str:
    """Render one part of a page."""
    if isinstance(block, Drawing):
        return render(block.template, block=block, svg=markup(block.svg))
    if isinstance(block, NetworkGraph):
        return render(block.template, title=block.title, caption=block.caption, graph=markup(block.html))
    return render(block.template, block=block)


def _has_content(block: Block) -> bool:
    if isinstance(block, Table):
        return bool(block.rows)
    return bool(block.lines) if isinstance(block, Lines) else True

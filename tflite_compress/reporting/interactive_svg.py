"""Render a matplotlib figure as SVG for the page: values on hover, series that can be switched off."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from tflite_compress.reporting.plots import svg_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stand-ins for colours that the page's style sheet decides.
_COLORS = {
    "#010101": "ink",
    "#020202": "line",
    "#030303": "before",
    "#040404": "after",
    "#050505": "bad",
    "#060606": "good",
}
INK, LINE, BEFORE, AFTER, BAD, GOOD = _COLORS
WIDTH, HEIGHT = 4.7, 2.9  # inches; about as wide as a phone, so that text stays readable there
_RC = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), LINE),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "font.size": 9,
    "axes.formatter.useoffset": False,
}
_FONT = re.compile(r"'DejaVu Sans'[^;\"]*")
POINTS_PER_INCH = 72
RADIUS = 8  # points around a value in which it is shown


@dataclass(frozen=True)
class Value:
    """What is shown at a place of a plot.

    Attributes:
        x, y: The place in the units of the axes.
        text: What is shown on hover and focus.
        href: Address that a click opens.
    """

    x: float
    y: float
    text: str
    href: str | None = None


@dataclass(frozen=True)
class Series:
    """Values that are switched on and off together.

    Attributes:
        label: Its name in the legend.
        color: One of the colours of this module.
        artists: What matplotlib draws of it.
        values: What is shown on hover and focus.
    """

    label: str
    color: str
    artists: tuple[Artist, ...]
    values: tuple[Value, ...] = ()


@contextmanager
def page_figure(
    height: float = HEIGHT, layout: Literal["constrained"] | None = "constrained"
) -> Iterator[tuple[Figure, Axes]]:
    """Make a figure of one panel in the colours of the page.

    Args:
        height: In inches.
        layout: None if the caller places the panel.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_RC):
        figure = Figure(figsize=(WIDTH, height), layout=layout)
        axes = figure.add_subplot()
        axes.grid(alpha=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        yield figure, axes


def interactive_svg(figure: Figure, title: str, series: Sequence[Series]) -> str:
    """Render a figure of one panel as HTML: an ``<svg>`` and, for several series, a legend.

    The script of the page shows values on hover and focus, and makes the legend's entries switches.

    Args:
        figure: The figure.
        title: What the plot shows.
        series: Its series.

    Returns:
        HTML for :func:`~tflite_compress.reporting.html.markup`.
    """
    for number, one in enumerate(series):
        for artist in one.artists:
            artist.set_gid(f"series{number}")
    text = svg_text(figure)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for stand_in, name in _COLORS.items():
        text = text.replace(stand_in, f"var(--{name})")
    text = _FONT.sub("system-ui, sans-serif", text)
    text = re.sub(r'id="series(\d+)"', r'class="series" data-series="\1"', text)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)  # HTML knows the elements of SVG
    prefix = f"p{zlib.crc32(text.encode()):x}"  # two plots on a page must not share names
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\1{prefix}-", text)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    label = f'role="group" aria-label="{escape(title)}"'
    text = text.replace("<svg ", f'<svg class="plot" {label} ', 1)
    return text.replace("</svg>", f"{_marks(figure, series)}</svg>") + _legend(series)


def _marks(figure: Figure, series: Sequence[Series]) -> str:
    """Return an invisible circle for each value; the first can be reached by the Tab key."""
    transform = figure.axes[0].transData
    scale, height = POINTS_PER_INCH / figure.dpi, figure.get_figheight() * POINTS_PER_INCH
    found: list[str] = []
    for number, one in enumerate(series):
        for value in one.values:
            x, y = transform.transform((value.x, value.y)) * scale
            tag, link = ("g", "") if value.href is None else ("a", f'href="{escape(value.href)}" ')
            role = 'role="img" ' if value.href is None else ""
            found.append(
                f'<{tag} {link}class="value" {role}data-series="{number}" tabindex="{-1 if found else 0}" '
                f'aria-label="{escape(value.text)}">'
                f'<circle cx="{x:.1f}" cy="{height - y:.1f}" r="{RADIUS}"/></{tag}>'
            )
    return "".join(found)


def _legend(series: Sequence[Series]) -> str:
    if len(series) < 2:
        return ""
    entries = "".join(
        f'<li data-series="{number}"><span class="swatch {_COLORS[one.color]}"></span>'
        f"{escape(one.label)}</li>"
        for number, one in enumerate(series)
    )
    return f'<ul class="legend">{entries}</ul>'

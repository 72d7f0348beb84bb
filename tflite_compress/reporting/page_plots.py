"""Plots of the page: matplotlib's SVG with the page's own colours, so that light and dark both work."""

from __future__ import annotations

import html
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tflite_compress.reporting.detail_figures import Histogram
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.plots import svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Stand-ins for colours that the page's style sheet decides.
_COLORS = {
    "#010101": "var(--ink)",
    "#020202": "var(--line)",
    "#030303": "var(--before)",
    "#040404": "var(--after)",
    "#050505": "var(--bad)",
}
INK, LINE, BEFORE, AFTER, BAD = _COLORS
WIDTH, HEIGHT = 4.7, 2.9  # inches; about as wide as a phone, so that text stays readable there
_RC = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), LINE),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "font.size": 9,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}
_FONT = re.compile(r"'DejaVu Sans'[^;\"]*")
LONG_LABEL = 24  # characters


@dataclass(frozen=True)
class Point:
    """A file in the plot of size against accuracy.

    Attributes:
        label: What it is.
        bytes: Its size.
        score: Its accuracy, in the metric's own unit.
        kind: ``before``, ``after`` (kept) or ``bad`` (rejected).
    """

    label: str
    bytes: int
    score: float
    kind: str


def pareto(points: Sequence[Point], metric: str, higher_is_better: bool = True) -> str:
    """Draw files by size and accuracy, with their Pareto front.

    Args:
        points: The files.
        metric: Name of the metric.
        higher_is_better: False for errors.
    """
    colors = {"before": BEFORE, "after": AFTER, "bad": BAD}
    markers = {"before": "s", "after": "o", "bad": "x"}
    with _drawing() as (figure, axes):
        front = _front(points, higher_is_better)
        if len(front) > 1:
            line = [(p.bytes / 1024, p.score) for p in front]
            axes.plot(*zip(*line, strict=True), color=LINE, drawstyle="steps-post", zorder=1)
        for number, point in enumerate(points):
            axes.scatter(point.bytes / 1024, point.score, c=colors[point.kind], marker=markers[point.kind])
            above = number % 2 == 0
            axes.annotate(
                _in_lines(point.label),
                (point.bytes / 1024, point.score),
                xytext=(0, 7 if above else -6),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                fontsize=8,
            )
        axes.margins(0.25, 0.3)
        axes.set_xlabel("file, KB")
        axes.set_ylabel(metric)
        return _inlined(figure, f"File size against {metric} of {len(points)} files")


def _in_lines(label: str) -> str:
    """A long label part by part, one a line."""
    return label if len(label) <= LONG_LABEL else label.replace(" + ", "\n+ ")


def _front(points: Sequence[Point], higher_is_better: bool) -> list[Point]:
    sign = 1 if higher_is_better else -1
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.bytes, -sign * p.score)):
        if not found or sign * point.score > sign * found[-1].score:
            found.append(point)
    return found


def through_passes(report: Report) -> str:
    """Draw accuracy of the original and after each pass of each candidate, the kept one in full colour."""
    before, kept = report.accuracy.before, report.passes
    rejected = [c.passes for c in report.candidates if c.passes and c.passes != kept]
    with _drawing() as (figure, axes):
        for steps in rejected:
            scores = [before, *(s.accuracy for s in steps)]
            axes.plot(range(len(scores)), scores, "x--", color=BAD, linewidth=1, markersize=5)
        scores = [before, *(s.accuracy for s in kept)]
        axes.plot(range(len(scores)), scores, "o-", color=AFTER, label="kept")
        if rejected:
            axes.plot([], [], "x--", color=BAD, label="rejected")
        lowest = report.accuracy.lowest_accepted
        if lowest is not None:
            axes.axhline(lowest, color=BEFORE, linestyle=":", label="lowest accepted")
        axes.set_xticks(range(len(scores)), ["original", *(s.name for s in kept)], rotation=25, ha="right")
        axes.set_ylabel(report.accuracy.metric.name)
        axes.margins(y=0.2)
        figure.legend(loc="outside upper center", ncols=3)
        return _inlined(figure, "Accuracy of the original and after each pass")


def histogram_plot(found: Histogram, title: str, bounds: Sequence[float] | None = None) -> str:
    """Draw float and quantized values of one tensor over the same bins.

    Args:
        found: The histogram.
        title: Label of the horizontal axis.
        bounds: Smallest and largest number the integers hold, drawn as lines.
    """
    count = len(found.before)
    width = (found.high - found.low) / count
    edges = [found.low + width * i for i in range(count + 1)]
    with _drawing(height=2.2, layout=None) as (figure, axes):  # a layout engine draws each twice
        figure.subplots_adjust(left=0.17, right=0.98, bottom=0.22, top=0.88)
        axes.stairs(found.before, edges, fill=True, color=BEFORE, alpha=0.5, label="float")
        axes.stairs(found.after, edges, color=AFTER, linewidth=1.3, label="quantized")
        axes.set_yscale("log")
        least = min((s for s in itertools.chain(found.before, found.after) if s > 0), default=1e-3)
        axes.set_ylim(min(least / 2, 0.1), 1)
        _label_powers_of_ten(axes)
        for number, bound in enumerate(bounds or ()):
            axes.axvline(bound, color=BAD, linestyle="--", label="" if number else "range of the integers")
        axes.set_ylabel("share of values")
        axes.set_xlabel(title)
        figure.legend(loc="upper center", ncols=3)
        return _inlined(figure, f"Histogram: {title}")


def _label_powers_of_ten(axes: Axes) -> None:
    """Label the vertical axis 1, 0.1, 0.01: matplotlib takes ten times longer to set exponents."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


@contextmanager
def _drawing(
    height: float = HEIGHT, layout: Literal["constrained"] | None = "constrained"
) -> Iterator[tuple[Figure, Axes]]:
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


def _inlined(figure: Figure, title: str) -> str:
    """The figure as an ``<svg>`` element: the page's colours and font, names of its own, a title."""
    text = svg_text(figure)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for stand_in, color in _COLORS.items():
        text = text.replace(stand_in, color)
    text = _FONT.sub("system-ui, sans-serif", text)
    prefix = f"p{zlib.crc32(text.encode()):x}"  # two plots on a page must not share names
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\1{prefix}-", text)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    return text.replace("<svg ", f'<svg class="plot" role="img" aria-label="{html.escape(title)}" ', 1)

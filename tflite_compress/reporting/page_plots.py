"""Plots of the page: size against accuracy, accuracy after each pass, histograms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tflite_compress.reporting.candidate_facts import PassStep
from tflite_compress.reporting.detail_figures import Histogram
from tflite_compress.reporting.interactive_svg import (
    AFTER,
    BAD,
    BEFORE,
    INK,
    LINE,
    Series,
    Value,
    interactive_svg,
)
from tflite_compress.reporting.model import Report
from tflite_compress.support.quantities import format_bytes, format_number, format_share

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import BboxBase

WIDTH, HEIGHT = 4.7, 2.9  # inches; about as wide as a phone, so that text stays readable there
_RC = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), LINE),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "font.size": 9,
}
LONG_LABEL = 24  # characters


_LOOKS = {  # by kind of point: legend, colour, marker
    "before": ("baseline", BEFORE, "s"),
    "after": ("accepted", AFTER, "o"),
    "bad": ("rejected", BAD, "x"),
}
_CLOSE = 2  # pixels between two labels


@dataclass(frozen=True)
class Point:
    """A file in the plot of size against accuracy.

    Attributes:
        label: What it is.
        bytes: Its size.
        score: Its accuracy, in the metric's own unit.
        kind: ``before``, ``after`` (kept) or ``bad`` (rejected).
        text: What is shown on hover; by default the label with size and accuracy.
        href: Address that a click opens, such as the folder of the file.
    """

    label: str
    bytes: int
    score: float
    kind: Literal["before", "after", "bad"]
    text: str | None = None
    href: str | None = None


def pareto(points: Sequence[Point], metric: str, higher_is_better: bool = True) -> str | None:
    """Draw files by size and accuracy, with their Pareto front.

    Args:
        points: The files.
        metric: Name of the metric.
        higher_is_better: False for errors.

    Returns:
        HTML; None if there are fewer than two files with a score.
    """
    points = [p for p in points if math.isfinite(p.score)]
    if len(points) < 2:
        return None
    with _drawing() as (figure, axes):
        series = [
            _points_of(axes, kind, [p for p in points if p.kind == kind], metric)
            for kind in _LOOKS
            if any(p.kind == kind for p in points)
        ]
        front = _front(points, higher_is_better)
        if len(front) > 1:
            line = [(p.bytes / 1024, p.score) for p in front]
            artist = axes.plot(*zip(*line, strict=True), color=LINE, drawstyle="steps-post", zorder=1)
            series.append(Series("Pareto front", LINE, tuple(artist)))
        axes.margins(0.25, 0.3)
        axes.set_xlabel("file, KB")
        axes.set_ylabel(metric)
        _remove_overlapping(figure, axes)
        return interactive_svg(figure, f"File size against {metric} of {len(points)} files", series)


def _points_of(axes: Axes, kind: str, points: Sequence[Point], metric: str) -> Series:
    """Draw the files of one kind, each with its label."""
    label, color, marker = _LOOKS[kind]
    artists: list[Artist] = [
        axes.scatter([p.bytes / 1024 for p in points], [p.score for p in points], c=color, marker=marker)
    ]
    for number, point in enumerate(points):
        above = (number % 2 == 0) is (kind != "after")
        artists.append(
            axes.annotate(
                _in_lines(point.label),
                (point.bytes / 1024, point.score),
                xytext=(0, 7 if above else -6),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                fontsize=8,
            )
        )
    values = tuple(
        Value(
            p.bytes / 1024,
            p.score,
            p.text or f"{p.label}: {format_bytes(p.bytes)}, {metric} {format_number(p.score)}",
            p.href,
        )
        for p in points
    )
    return Series(label, color, tuple(artists), values)


def _remove_overlapping(figure: Figure, axes: Axes) -> None:
    """Hide labels of points that would overlap an earlier one; hovering still shows them."""
    figure.draw_without_rendering()
    shown: list[BboxBase] = []
    for text in axes.texts:
        box = text.get_window_extent().padded(_CLOSE)
        if box.count_overlaps(shown):
            text.set_visible(False)
        else:
            shown.append(box)


def _in_lines(label: str) -> str:
    """Return a long label with one part per line."""
    return label if len(label) <= LONG_LABEL else label.replace(" + ", "\n+ ")


def _front(points: Sequence[Point], higher_is_better: bool) -> list[Point]:
    sign = 1 if higher_is_better else -1
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.bytes, -sign * p.score)):
        if not found or sign * point.score > sign * found[-1].score:
            found.append(point)
    return found


def through_passes(report: Report) -> str | None:
    """Draw accuracy of the original and after each pass of each candidate; None if no pass ran."""
    kept = report.passes
    if not kept:
        return None
    rejected = [c.passes for c in report.candidates if c.passes and c.passes != kept]
    with _drawing() as (figure, axes):
        series = [_steps(axes, report, [kept], "kept", AFTER, "o-")]
        if rejected:
            series.append(_steps(axes, report, rejected, "rejected", BAD, "x--"))
        lowest = report.accuracy.lowest_accepted
        if lowest is not None:
            line = axes.axhline(lowest, color=BEFORE, linestyle=":")
            text = f"lowest accepted {report.accuracy.metric.name}: {format_number(lowest)}"
            series.append(Series("lowest accepted", BEFORE, (line,), (Value(0, lowest, text),)))
        names = ["original", *(s.name for s in kept)]
        axes.set_xticks(range(len(names)), names, rotation=25, ha="right")
        axes.set_ylabel(report.accuracy.metric.name)
        axes.margins(y=0.2)
        return interactive_svg(figure, "Accuracy of the original and after each pass", series)


def _steps(
    axes: Axes, report: Report, runs: Sequence[Sequence[PassStep]], label: str, color: str, style: str
) -> Series:
    """Draw the accuracy after each pass of some candidates."""
    before, metric = report.accuracy.before, report.accuracy.metric.name
    artists: list[Artist] = []
    values: list[Value] = []
    for steps in runs:
        scores = [before, *(s.accuracy for s in steps)]
        artists += axes.plot(range(len(scores)), scores, style, color=color, markersize=5)
        names = ["original", *(s.name for s in steps)]
        values += [
            Value(place, score, f"{name} ({label}): {metric} {format_number(score)}")
            for place, (name, score) in enumerate(zip(names, scores, strict=True))
        ]
    return Series(label, color, tuple(artists), tuple(values))


def histogram_plot(found: Histogram, title: str, bounds: Sequence[float] | None = None) -> str | None:
    """Draw float and quantized values of one tensor over the same bins.

    Args:
        found: The histogram.
        title: Label of the horizontal axis.
        bounds: Smallest and largest number the integers hold, drawn as lines.

    Returns:
        HTML; None if the histogram is empty.
    """
    if not any(found.before) and not any(found.after):
        return None
    count = len(found.before)
    width = (found.high - found.low) / count
    edges = [found.low + width * i for i in range(count + 1)]
    with _drawing(height=2.2, layout=None) as (figure, axes):  # a layout engine draws each twice
        figure.subplots_adjust(left=0.17, right=0.98, bottom=0.22, top=0.95)
        before = axes.stairs(found.before, edges, fill=True, color=BEFORE, alpha=0.5)
        after = axes.stairs(found.after, edges, color=AFTER, linewidth=1.3)
        axes.set_yscale("log")
        least = min((s for s in itertools.chain(found.before, found.after) if s > 0), default=1e-3)
        axes.set_ylim(min(least / 2, 0.1), 1)
        _label_powers_of_ten(axes)
        lines = tuple(axes.axvline(bound, color=BAD, linestyle="--") for bound in bounds or ())
        axes.set_ylabel("share of values")
        axes.set_xlabel(title)
        series = [
            Series("float", BEFORE, (before,), _bins(edges, found.before, "float")),
            Series("quantized", AFTER, (after,), _bins(edges, found.after, "quantized")),
        ]
        if lines:
            series.append(Series("range of the integers", BAD, lines))
        return interactive_svg(figure, f"Histogram: {title}", series)


def _bins(edges: Sequence[float], shares: Sequence[float], label: str) -> tuple[Value, ...]:
    return tuple(
        Value(
            (low + high) / 2,
            share,
            f"{label}, {format_number(low)} to {format_number(high)}: {format_share(share)}",
        )
        for (low, high), share in zip(itertools.pairwise(edges), shares, strict=True)
        if share > 0
    )


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

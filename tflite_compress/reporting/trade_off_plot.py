"""Plot of files by two figures, such as size and accuracy, with their Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tflite_compress.reporting.accuracy_figures import MetricFacts
from tflite_compress.reporting.interactive_svg import (
    AFTER,
    BAD,
    BEFORE,
    GOOD,
    LINE,
    Series,
    Value,
    interactive_svg,
    page_figure,
)
from tflite_compress.reporting.scores import format_score
from tflite_compress.support.quantities import UNITS, format_bytes

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import BboxBase

Kind = Literal["before", "after", "bad", "kept", "front", "chosen"]
LONG_LABEL = 24  # characters
_CLOSE = 2  # pixels between two labels
_LOOKS: dict[Kind, tuple[str, str, str, float]] = {  # legend, colour, marker, area of the marker
    "before": ("baseline", BEFORE, "s", 36),
    "after": ("accepted", AFTER, "o", 36),
    "bad": ("rejected", BAD, "x", 30),
    "kept": ("accepted, not on the front", AFTER, ".", 36),
    "front": ("on the front", AFTER, "o", 60),
    "chosen": ("chosen", GOOD, "D", 60),
}


@dataclass(frozen=True)
class Place:
    """A point of the plot.

    Attributes:
        x, y: Its place in the units of the axes.
        kind: What it is; see the legend.
        text: What is shown on hover and focus.
        label: What is written beside it; None for nothing.
        href: Address that a click opens, such as the folder of the file.
    """

    x: float
    y: float
    kind: Kind
    text: str
    label: str | None = None
    href: str | None = None


@dataclass(frozen=True)
class Point:
    """A file in the plot of size against accuracy.

    Attributes:
        label: What it is.
        bytes: Its size.
        score: Its accuracy, in the metric's own unit.
        kind: ``before``, ``after`` (kept) or ``bad`` (rejected).
        href: Address that a click opens, such as the folder of the file.
    """

    label: str
    bytes: int
    score: float
    kind: Literal["before", "after", "bad"]
    href: str | None = None


def size_and_accuracy(points: Sequence[Point], metric: MetricFacts) -> str | None:
    """Draw files by size and accuracy, with their Pareto front.

    Args:
        points: The files.
        metric: What accuracy is measured by.

    Returns:
        HTML; None if there are fewer than two files with a score.
    """
    points = [p for p in points if math.isfinite(p.score)]
    if len(points) < 2:
        return None
    unit, factor = size_axis(max(p.bytes for p in points))
    y_label, y_factor = score_axis(metric)
    places = [
        Place(
            p.bytes / factor,
            y_factor * p.score,
            p.kind,
            f"{p.label}: {format_bytes(p.bytes)}, {metric.name} {format_score(metric, p.score)}",
            p.label,
            p.href,
        )
        for p in points
    ]
    front = [(p.bytes / factor, y_factor * p.score) for p in _front(points, metric.higher_is_better)]
    title = f"File size against {metric.name} of {len(points)} files"
    return trade_off_plot(places, front, (f"file, {unit}", y_label), title)


def trade_off_plot(
    places: Sequence[Place], front: Sequence[tuple[float, float]], labels: tuple[str, str], title: str
) -> str:
    """Draw points by two figures, and a line of steps through the front.

    Args:
        places: At least one.
        front: Points of the line, by x.
        labels: Names and units of the two axes.
        title: What is drawn, for screen readers.

    Returns:
        HTML for :func:`~tflite_compress.reporting.html.markup`.
    """
    with page_figure() as (figure, axes):
        series = [
            _points_of(axes, kind, [p for p in places if p.kind == kind])
            for kind in _LOOKS
            if any(p.kind == kind for p in places)
        ]
        if len(front) > 1:
            line = axes.plot(*zip(*front, strict=True), color=LINE, drawstyle="steps-post", zorder=1)
            series.append(Series("Pareto front", LINE, tuple(line)))
        axes.margins(0.25, 0.3)
        axes.set_xlim(left=max(0.0, axes.get_xlim()[0]))
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        _remove_overlapping(figure, axes)
        return interactive_svg(figure, title, series)


def size_axis(largest: float) -> tuple[str, float]:
    """Return the unit that suits sizes up to one in bytes, and its bytes."""
    return next(((unit, factor) for unit, factor in UNITS if largest >= factor), ("bytes", 1.0))


def score_axis(metric: MetricFacts) -> tuple[str, float]:
    """Return the label of an axis of scores, and what scores are multiplied by: shares are drawn in %."""
    return (f"{metric.name}, %", 100.0) if metric.is_share else (metric.name, 1.0)


def _points_of(axes: Axes, kind: Kind, places: Sequence[Place]) -> Series:
    """Draw the points of one kind, each with its label."""
    legend, color, marker, area = _LOOKS[kind]
    artists: list[Artist] = [
        axes.scatter([p.x for p in places], [p.y for p in places], c=color, marker=marker, s=area, zorder=2)
    ]
    for number, place in enumerate(places):
        above = (number % 2 == 0) is (kind != "after")
        artists.append(
            axes.annotate(
                _in_lines(place.label or ""),
                (place.x, place.y),
                xytext=(0, 7 if above else -6),
                textcoords="offset points",
                ha="center",
                va="bottom" if above else "top",
                fontsize=8,
            )
        )
    values = tuple(Value(p.x, p.y, p.text, p.href) for p in places)
    return Series(legend, color, tuple(artists), values)


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

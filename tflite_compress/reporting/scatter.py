"""A plot of linked points: pointing at one or focusing it shows what it is, following it opens its folder."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tflite_compress.reporting.html import render
from tflite_compress.support.quantities import format_number

WIDTH, HEIGHT = 480, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 78, 50  # margins; the description of a point stands at the top
MARGIN = 0.08  # of the range, between the points and the axes
LINE_LENGTH, MAX_LINES, TICKS = 58, 4, 5


@dataclass(frozen=True)
class ScatterPoint:
    """A point.

    Attributes:
        x, y: Its place, in the units of the axes.
        text: What it is.
        kind: ``chosen``, ``front``, ``kept`` or ``bad``.
        href: Where it leads, as a URL; None if it leads nowhere.
    """

    x: float
    y: float
    text: str
    kind: Literal["chosen", "front", "kept", "bad"]
    href: str | None = None


@dataclass(frozen=True)
class Axis:
    """The values along one axis, from the place ``start`` to the place ``end`` of the drawing."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return where a value lies in the drawing."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return place and label of round values."""
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [(self.place(n * step), format_number(n * step)) for n in range(first, last + 1)]


def scatter(points: Sequence[ScatterPoint], x_label: str, y_label: str, title: str) -> str:
    """Draw points as an ``<svg>`` element with escaped texts.

    Args:
        points: At least one; those of kind ``front`` and ``chosen`` are joined by a line.
        x_label: Name and unit of the horizontal axis.
        y_label: Name and unit of the vertical axis.
        title: What is drawn, for screen readers.
    """
    x = _axis([point.x for point in points], LEFT, WIDTH - RIGHT)
    y = _axis([point.y for point in points], HEIGHT - BOTTOM, TOP)
    front = sorted((p.x, p.y) for p in points if p.kind in ("front", "chosen"))
    order = {"bad": 0, "kept": 1, "front": 2, "chosen": 3}
    marks = [
        (point, x.place(point.x), y.place(point.y), textwrap.wrap(point.text, LINE_LENGTH)[:MAX_LINES])
        for point in sorted(points, key=lambda p: order[p.kind])
    ]
    steps = [(x.place(a), y.place(b)) for a, b in front]
    path = "".join(f"H{a}V{b}" for a, b in steps[1:])
    return render(
        "facts/scatter.html",
        width=WIDTH,
        height=HEIGHT,
        frame=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
        x_ticks=x.ticks(),
        y_ticks=y.ticks(),
        x_label=x_label,
        y_label=y_label,
        title=title,
        line=f"M{steps[0][0]} {steps[0][1]}{path}" if path else None,
        marks=marks,
    )


def _axis(values: Sequence[float], start: float, end: float) -> Axis:
    low, high = min(values), max(values)
    margin = MARGIN * (high - low) or abs(high) * MARGIN or 1.0
    return Axis(low - margin, high + margin, start, end)

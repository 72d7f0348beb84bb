"""Plots of the page: accuracy after each pass, and histograms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tflite_compress.reporting.candidate_facts import PassStep
from tflite_compress.reporting.detail_figures import Histogram
from tflite_compress.reporting.interactive_svg import (
    AFTER,
    BAD,
    BEFORE,
    Series,
    Value,
    interactive_svg,
    page_figure,
)
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.scores import format_score
from tflite_compress.reporting.trade_off_plot import score_axis
from tflite_compress.support.quantities import format_number, format_share

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def through_passes(report: Report) -> str | None:
    """Draw accuracy of the original and after each pass of each candidate; None if no pass ran."""
    kept = report.passes
    if not kept:
        return None
    rejected = [c.passes for c in report.candidates if c.passes and c.passes != kept]
    with page_figure() as (figure, axes):
        series = [_steps(axes, report, [kept], "kept", AFTER, "o-")]
        if rejected:
            series.append(_steps(axes, report, rejected, "rejected", BAD, "x--"))
        metric, lowest = report.accuracy.metric, report.accuracy.lowest_accepted
        label, factor = score_axis(metric)
        if lowest is not None:
            line = axes.axhline(factor * lowest, color=BEFORE, linestyle=":")
            text = f"lowest accepted {metric.name}: {format_score(metric, lowest)}"
            series.append(Series("lowest accepted", BEFORE, (line,), (Value(0, factor * lowest, text),)))
        names = ["original", *(s.name for s in kept)]
        axes.set_xticks(range(len(names)), names, rotation=25, ha="right")
        axes.set_ylabel(label)
        axes.margins(y=0.2)
        return interactive_svg(figure, "Accuracy of the original and after each pass", series)


def _steps(
    axes: Axes, report: Report, runs: Sequence[Sequence[PassStep]], label: str, color: str, style: str
) -> Series:
    """Draw the accuracy after each pass of some candidates."""
    before, metric = report.accuracy.before, report.accuracy.metric
    _, factor = score_axis(metric)
    artists: list[Artist] = []
    values: list[Value] = []
    for steps in runs:
        scores = [before, *(s.accuracy for s in steps)]
        artists += axes.plot(
            range(len(scores)), [factor * score for score in scores], style, color=color, markersize=5
        )
        names = ["original", *(s.name for s in steps)]
        values += [
            Value(place, factor * score, f"{name} ({label}): {metric.name} {format_score(metric, score)}")
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
    with page_figure(height=2.2, layout=None) as (figure, axes):  # a layout engine draws each twice
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

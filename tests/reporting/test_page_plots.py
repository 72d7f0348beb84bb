"""Plots: values, series, labels, and what is left out."""

from __future__ import annotations

import re

from msgspec.structs import replace

from tests.reporting.sample import sample_report
from tflite_compress.reporting.candidate_facts import CandidateFacts
from tflite_compress.reporting.detail_figures import Histogram
from tflite_compress.reporting.page_plots import Point, histogram_plot, pareto, through_passes

BASELINE = Point("float32", 4096, 0.9, "before")


def values(plot: str | None) -> list[str]:
    return re.findall(r'class="value"[^>]*aria-label="([^"]*)"', plot or "")


def legend(plot: str | None) -> list[str]:
    return re.findall(r"</span>([^<]+)</li>", plot or "")


def test_each_file_is_a_value_and_each_kind_a_series() -> None:
    points = [BASELINE, Point("int8", 2048, 0.85, "bad"), Point("int4", 1024, 0.8, "after", href="trial/3")]
    plot = pareto(points, "top1")
    assert values(plot) == ["float32: 4 KB, top1 0.9", "int4: 1 KB, top1 0.8", "int8: 2 KB, top1 0.85"]
    assert legend(plot) == ["baseline", "accepted", "rejected", "Pareto front"]
    assert plot is not None and plot.count('tabindex="0"') == 1
    assert '<a href="trial/3" class="value"' in plot
    drawn = set(re.findall(r'class="series" data-series="(\d)"', plot))
    assert drawn == {"0", "1", "2", "3"}


def test_a_value_lies_where_matplotlib_draws_the_point() -> None:
    plot = pareto([BASELINE, Point("int8", 1024, 0.8, "after")], "top1") or ""
    drawn = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)" style="fill: var\(--(?:before|after)', plot)
    marked = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', plot)
    assert len(drawn) == len(marked) == 2
    for (x, y), (cx, cy) in zip(drawn, marked, strict=True):
        assert abs(float(x) - float(cx)) < 0.2 and abs(float(y) - float(cy)) < 0.2


def test_long_labels_are_set_in_lines() -> None:
    long = "fewer trees (share 0.6) + pruned trees (share 0.8) + int8 tables"
    drawn = pareto([BASELINE, Point(long, 1024, 0.9, "after")], "top1") or ""
    shown = re.findall(r">([^<>]+)</text>", drawn)
    assert "fewer trees (share 0.6)" in shown and "+ int8 tables" in shown
    assert long not in shown


def test_labels_that_would_overlap_are_hidden_but_remain_values() -> None:
    points = [BASELINE, *(Point(f"trial {n}", 1000 + n, 0.8 + n / 1e5, "after") for n in range(6))]
    plot = pareto(points, "top1") or ""
    shown = re.findall(r">(trial \d)</text>", plot)
    assert len(shown) == 2 and len(values(plot)) == 7


def test_markup_in_a_label_is_escaped() -> None:
    plot = pareto([BASELINE, Point('<b>"x"', 1024, 0.8, "after", href='"><script>')], "top1") or ""
    assert "<b>" not in plot and "<script>" not in plot and "&lt;b&gt;&quot;x&quot;" in plot


def test_passes_of_each_candidate_are_values() -> None:
    report = sample_report()
    assert values(through_passes(report)) == [
        "original (kept): top1 0.97",
        "convert (kept): top1 0.968",
        "lowest accepted top1: 0.96",
    ]
    rejected = replace(report.passes[0], accuracy=0.5)
    candidate = CandidateFacts(
        summary="int4", drop=0.47, passed=False, error=None, limit_violation=None, passes=(rejected,)
    )
    plot = through_passes(replace(report, candidates=(candidate,)))
    assert "convert (rejected): top1 0.5" in values(plot)
    assert legend(plot) == ["kept", "rejected", "lowest accepted"]


def test_plots_with_nothing_to_show_are_left_out() -> None:
    assert pareto([BASELINE], "top1") is None
    assert pareto([BASELINE, Point("int8", 1024, float("nan"), "bad")], "top1") is None
    assert through_passes(sample_report(passes=())) is None
    assert histogram_plot(Histogram(low=0, high=1, before=(0, 0), after=(0, 0)), "x") is None


def test_bins_of_a_histogram_are_values() -> None:
    found = Histogram(low=0, high=2, before=(0.25, 0.75), after=(0, 1))
    plot = histogram_plot(found, "weights", (0, 2))
    assert values(plot) == ["float, 0 to 1: 25 %", "float, 1 to 2: 75 %", "quantized, 1 to 2: 100 %"]
    assert legend(plot) == ["float", "quantized", "range of the integers"]

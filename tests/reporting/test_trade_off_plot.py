"""Plots of two figures: values, series, labels, units, and what is left out."""

from __future__ import annotations

import re

from msgspec.structs import replace

from tests.reporting.test_page_plots import legend, values
from tflite_compress.reporting.accuracy_figures import MetricFacts
from tflite_compress.reporting.trade_off_plot import Place, Point, size_and_accuracy, trade_off_plot

BASELINE = Point("float32", 4096, 0.9, "before")
TOP1 = MetricFacts(name="top1", higher_is_better=True, is_share=True)


def test_each_file_is_a_value_and_each_kind_a_series() -> None:
    points = [BASELINE, Point("int8", 2048, 0.85, "bad"), Point("int4", 1024, 0.8, "after", href="trial/3")]
    plot = size_and_accuracy(points, TOP1)
    assert values(plot) == ["float32: 4 KB, top1 90 %", "int4: 1 KB, top1 80 %", "int8: 2 KB, top1 85 %"]
    assert legend(plot) == ["baseline", "accepted", "rejected", "Pareto front"]
    assert plot is not None and plot.count('tabindex="0"') == 1
    assert '<a href="trial/3" class="value"' in plot
    drawn = set(re.findall(r'class="series" data-series="(\d)"', plot))
    assert drawn == {"0", "1", "2", "3"}


def test_a_value_lies_where_matplotlib_draws_the_point() -> None:
    plot = size_and_accuracy([BASELINE, Point("int8", 1024, 0.8, "after")], TOP1) or ""
    drawn = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)" style="fill: var\(--(?:before|after)', plot)
    marked = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', plot)
    assert len(drawn) == len(marked) == 2
    for (x, y), (cx, cy) in zip(drawn, marked, strict=True):
        assert abs(float(x) - float(cx)) < 0.2 and abs(float(y) - float(cy)) < 0.2


def test_long_labels_are_set_in_lines() -> None:
    long = "fewer trees (share 0.6) + pruned trees (share 0.8) + int8 tables"
    drawn = size_and_accuracy([BASELINE, Point(long, 1024, 0.9, "after")], TOP1) or ""
    shown = re.findall(r">([^<>]+)</text>", drawn)
    assert "fewer trees (share 0.6)" in shown and "+ int8 tables" in shown
    assert long not in shown


def test_labels_that_would_overlap_are_hidden_but_remain_values() -> None:
    points = [BASELINE, *(Point(f"trial {n}", 1000 + n, 0.8 + n / 1e5, "after") for n in range(6))]
    plot = size_and_accuracy(points, TOP1) or ""
    shown = re.findall(r">(trial \d)</text>", plot)
    assert len(shown) == 2 and len(values(plot)) == 7


def test_markup_in_a_label_is_escaped() -> None:
    plot = size_and_accuracy([BASELINE, Point('<b>"x"', 1024, 0.8, "after", href='"><script>')], TOP1) or ""
    assert "<b>" not in plot and "<script>" not in plot and "&lt;b&gt;&quot;x&quot;" in plot


def test_axes_have_the_units_of_the_texts() -> None:
    small = size_and_accuracy([BASELINE, Point("int8", 1024, 0.8, "after")], TOP1) or ""
    assert ">file, KB</text>" in small and ">top1, %</text>" in small
    error = replace(TOP1, name="mae", higher_is_better=False, is_share=False)
    large = size_and_accuracy([Point("float32", 5 << 20, 0.9, "before"), BASELINE], error) or ""
    assert ">file, MB</text>" in large and ">mae</text>" in large
    assert values(large)[0] == "float32: 5 MB, mae 0.9"


def test_a_plot_with_nothing_to_show_is_left_out() -> None:
    assert size_and_accuracy([BASELINE], TOP1) is None
    assert size_and_accuracy([BASELINE, Point("int8", 1024, float("nan"), "bad")], TOP1) is None


def test_a_front_is_a_line_and_its_points_lead_to_their_folders() -> None:
    places = [
        Place(10, 3, "chosen", "int8", href="found/points/01/"),
        Place(20, 1, "front", "<b>", href="found/points/02/"),
        Place(15, 4, "bad", "trial 3"),
    ]
    plot = trade_off_plot(places, [(10, 3), (20, 1)], ("file, KB", "latency, ms"), "Pareto front")
    assert legend(plot) == ["rejected", "on the front", "chosen", "Pareto front"]
    assert plot.count("<a ") == 2 and '<a href="found/points/01/" class="value"' in plot and "<b>" not in plot
    assert values(trade_off_plot(places[:1], [], ("x", "y"), "one point")) == ["int8"]

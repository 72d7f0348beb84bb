"""Plots: values, series, labels, and what is left out."""

from __future__ import annotations

import re

from msgspec.structs import replace

from tests.reporting.sample import sample_report
from tflite_compress.reporting.candidate_facts import CandidateFacts
from tflite_compress.reporting.detail_figures import Histogram
from tflite_compress.reporting.page_plots import histogram_plot, through_passes


def values(plot: str | None) -> list[str]:
    return re.findall(r'class="value"[^>]*aria-label="([^"]*)"', plot or "")


def legend(plot: str | None) -> list[str]:
    return re.findall(r"</span>([^<]+)</li>", plot or "")


def test_passes_of_each_candidate_are_values() -> None:
    report = sample_report()
    assert values(through_passes(report)) == [
        "original (kept): top1 97 %",
        "convert (kept): top1 96.8 %",
        "lowest accepted top1: 96 %",
    ]
    rejected = replace(report.passes[0], accuracy=0.5)
    candidate = CandidateFacts(
        summary="int4", drop=0.47, passed=False, error=None, limit_violation=None, passes=(rejected,)
    )
    assert ">top1, %</text>" in (through_passes(report) or "")
    plot = through_passes(replace(report, candidates=(candidate,)))
    assert "convert (rejected): top1 50 %" in values(plot)
    assert legend(plot) == ["kept", "rejected", "lowest accepted"]


def test_plots_with_nothing_to_show_are_left_out() -> None:
    assert through_passes(sample_report(passes=())) is None
    assert histogram_plot(Histogram(low=0, high=1, before=(0, 0), after=(0, 0)), "x") is None


def test_bins_of_a_histogram_are_values() -> None:
    found = Histogram(low=0, high=2, before=(0.25, 0.75), after=(0, 1))
    plot = histogram_plot(found, "weights", (0, 2))
    assert values(plot) == ["float, 0 to 1: 25 %", "float, 1 to 2: 75 %", "quantized, 1 to 2: 100 %"]
    assert legend(plot) == ["float", "quantized", "range of the integers"]

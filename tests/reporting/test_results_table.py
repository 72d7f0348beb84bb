from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.sample import RAM, accuracy, measured, sample_report, size
from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.figures import Fit, RecipeFacts
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.results_table import print_results
from tflite_compress.support.notes import Note


def result(fits: bool = True) -> Recorded:
    findings = (
        Finding("RAM", fits, "too [much]", "Shrink it.", RAM),
        Finding("flash", True, "enough", measurement=measured("flash")),
    )
    report = sample_report(
        "arduino-nano-33-ble",
        recipe=RecipeFacts(name="prune", summary="80% sparsity + int8", is_for_forests=False),
        size=size(2_345_678, 1_234_567),
        accuracy=accuracy(0.08),
        notes=(Note("plan", "mind [this]"), Note("x", "act on this", "warning")),
        fit=Fit(fits=fits, findings=findings),
    )
    return Recorded(Path("out"), report, "digits.keras", {})


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_no_figure_is_cut_at_any_width(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_results([result()])
    out = capsys.readouterr().out
    for text in ("arduino-nano-33-ble", "1,234,567", "1.9x smaller", "0.8900", "0.008", "mind [this]"):
        assert text in out
    assert "warning: act on this" in out
    assert max(map(len, out.splitlines())) <= max(columns, 80)


@pytest.mark.parametrize("fits", [True, False])
def test_fit_and_latency_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fits: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    print_results([result(fits)])
    out = capsys.readouterr().out
    assert ("fits: flash 20 KB (measured), RAM 20 KB (estimated)" in out) == fits
    assert ("does NOT fit: too [much]" in out and "hint: Shrink it." in out) != fits
    assert "Latency on the device, ms: 2 (1 to 4) (estimated: MACs)" in out
    assert "peak memory of this run: 2.1 GB" in out

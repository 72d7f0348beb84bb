from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.sample import RAM, accuracy, measured, sample_report, size
from tflite_compress.checking.device_verdict import decide
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
        verdict=decide(findings),
    )
    return Recorded(Path("out"), report, "digits.keras", {})


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_no_figure_is_cut_at_any_width(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_results([result(), result()])
    out = capsys.readouterr().out
    for text in ("arduino-nano-33-ble", "1.18 MB", "1.9x smaller", "89 %", "8 µs", "mind [this]"):
        assert text in out
    assert "warning: act on this" in out
    assert max(map(len, out.splitlines())) <= columns


def test_verdict_and_device_figures_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    print_results([result(False)])
    out = capsys.readouterr().out
    assert "✗ too large: RAM about 20 KB" in out and "next: Shrink it." in out
    assert "ready" not in out and "passed" not in out
    assert "Latency on the device: estimated 1 ms to 4 ms: MACs" in out
    assert "finished in 7.5 s, peak memory 1.96 GB" in out

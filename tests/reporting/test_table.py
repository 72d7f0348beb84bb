from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tflite_compress.compression.compress import Result
from tflite_compress.reporting.results_table import print_results, size


def result(fits: bool = True) -> Result:
    cost = {"value": 20_480, "kind": "estimated"}
    findings = [
        {"subject": "RAM", "fits": fits, "text": "too [much]", "do": "Shrink it.", "cost": cost},
        {"subject": "flash", "fits": True, "text": "enough", "cost": cost},
    ]
    numbers = {"bytes": 1_234_567, "gzip_bytes": 1_000_000}
    report: dict[str, Any] = {
        "verdict": "passed",
        "recipe": {"in_short": "80% sparsity + int8"},
        "size": {"original_float32": numbers, "result": numbers},
        "accuracy": {"before": 0.9, "after": 0.89, "verified": True, "metric": "top1", "samples": 9},
        "latency": {"original_float32": {"median_ms": 1.0}, "result": {"median_ms": 0.5}, "where": "here"},
        "notes": ["mind [this]"],
        "fit": {"fits": fits, "findings": findings},
        "device_latency": {"kind": "estimated", "value": 2.0, "source": "MACs", "low": 1.0, "high": 4.0},
        "peak_memory_bytes": 2_100_000_000,
    }
    return Result("arduino-nano-33-ble", True, Path("out/model.tflite"), report, {})


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_no_figure_is_cut_at_any_width(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_results([result()])
    out = capsys.readouterr().out
    for text in ("arduino-nano-33-ble", "1,234,567", "1,000,000", "0.8900", "0.500", "mind [this]"):
        assert text in out
    assert max(map(len, out.splitlines())) <= max(columns, 80)


@pytest.mark.parametrize("fits", [True, False])
def test_fit_and_latency_are_told(capsys: pytest.CaptureFixture[str], fits: bool) -> None:
    print_results([result(fits)])
    out = capsys.readouterr().out
    assert ("fits: RAM 20 KB (estimated), flash 20 KB (estimated)" in out) == fits
    assert ("does NOT fit: too [much]" in out and "Shrink it." in out) != fits
    assert "about 2 ms (1 to 4) on the device, estimated" in out
    assert "peak memory of this run: 2.1 GB" in out


def test_sizes_in_words() -> None:
    assert [size(n) for n in (100, 2048, 5_767_168, 4 * 1024**3)] == ["100 bytes", "2 KB", "5.5 MB", "4 GB"]

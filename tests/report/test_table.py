from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tflite_compress.api import Result
from tflite_compress.report.table import print_results, size


def result() -> Result:
    numbers = {"bytes": 1_234_567, "gzip_bytes": 1_000_000}
    report: dict[str, Any] = {
        "verdict": "passed",
        "recipe": {"in_short": "80% sparsity + int8"},
        "size": {"original_float32": numbers, "result": numbers},
        "accuracy": {"before": 0.9, "after": 0.89, "verified": True, "metric": "top1", "samples": 9},
        "latency": {"original_float32": {"median_ms": 1.0}, "result": {"median_ms": 0.5}, "where": "here"},
        "notes": ["mind [this]"],
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


def test_sizes_in_words() -> None:
    assert [size(n) for n in (100, 2048, 5_767_168, 4 * 1024**3)] == ["100 bytes", "2 KB", "5.5 MB", "4 GB"]

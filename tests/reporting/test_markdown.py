from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tflite_compress.reporting.markdown import one_in_full, read_results, side_by_side

Run = Callable[..., tuple[int, str, str]]


def written(folder: Path, device: str = "rp2040", **changes: Any) -> Path:
    """A result folder with the parts of a report that Markdown shows."""
    report = {
        "verdict": "passed",
        "device": {"name": device, "title": f"Board {device}"},
        "recipe": {"name": "int8", "in_short": "int8"},
        "accuracy": {"metric": "top1", "before": 0.97, "after": 0.968, "drop": 0.002, "samples": 1450},
        "size": {
            "original_float32": {"bytes": 108000, "gzip_bytes": 100000},
            "result": {"bytes": 33424, "gzip_bytes": 30000},
            "ratio": 0.31,
        },
        "latency": {
            "where": "this machine",
            "ratio": 0.4,
            "original_float32": {"median_ms": 0.02},
            "result": {"median_ms": 0.008},
        },
        "passes": [{"pass": "convert", "accuracy_after": 0.968, "bytes": 36528, "seconds": 1.1}],
        "fit": {"fits": True, "findings": [{"subject": "flash", "fits": True, "text": "33 KB | measured"}]},
        "notes": ["a note <b>with</b> marks"],
        **changes,
    }
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "manifest.json").write_text(json.dumps({"model": {"path": "/m/digits.keras"}}))
    return folder


def test_one_in_full(tmp_path: Path) -> None:
    (found,) = read_results(written(tmp_path / "r"))
    text = one_in_full(found)
    assert text.startswith("## digits.keras for Board rp2040\n\n**int8** keeps its accuracy, and fits.")
    assert "| top1 on 1,450 samples | 0.9700 | 0.9680 | +0.0020 lost |" in text
    assert "| file, bytes | 108,000 | 33,424 | 0.31x |" in text
    assert "33 KB \\| measured" in text and "&lt;b>with" in text
    assert f"tflite-compress repeat {tmp_path / 'r' / 'manifest.json'}" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") in (4, 5) for line in rows)


def test_verdicts_are_said(tmp_path: Path) -> None:
    (lost,) = read_results(written(tmp_path / "a", verdict="failed", fit={"fits": False, "findings": []}))
    assert "loses too much accuracy, but does not fit." in one_in_full(lost)
    (unknown,) = read_results(written(tmp_path / "b", verdict="unverified", fit=None))
    assert "no data was given." in one_in_full(unknown)


def test_several_side_by_side(run: Run, tmp_path: Path) -> None:
    for device in ("rp2040", "esp32"):
        written(tmp_path / "all" / device, device)
    text = side_by_side(read_results(tmp_path / "all"))
    assert len(text.splitlines()) == 4 and "| esp32 | int8 | passed | yes | 0.9680 |" in text
    code, out, _ = run("report", str(tmp_path / "all"), "--compare")
    assert code == 0 and out == text
    code, out, _ = run("report", str(tmp_path / "all" / "esp32"))
    assert code == 0 and out.startswith("## digits.keras for Board esp32")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"accuracy": null}'])
def test_folders_without_a_report(run: Run, tmp_path: Path, content: str) -> None:
    folder = written(tmp_path / "r")
    (folder / "report.json").write_text(content)
    for words in ([], [str(tmp_path / "none")], [str(folder)]):
        code, _, err = run("report", *words)
        assert code == 2 and err and "Traceback" not in err

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.reporting.sample import LOST, accuracy, sample_report, write_result
from tflite_compress.reporting.comparison import side_by_side
from tflite_compress.reporting.markdown import result_markdown
from tflite_compress.reporting.outcome import report_verdict
from tflite_compress.reporting.recorded import read_results


def test_one_result(tmp_path: Path) -> None:
    (found,) = read_results(write_result(tmp_path / "r", sample_report()))
    text = result_markdown(found)
    assert text.startswith(
        "## digits.keras for Board rp2040\n\n✓ **ready**: top1 97 % → 96.8 % (-0.2 points)\n\n"
        "Next: Deploy it."
    )
    assert "| Accuracy | 97 % | 96.8 % | -0.2 points |" in text
    assert "| File | 105 KB | 32.6 KB | 3.23x smaller |" in text
    assert "| RAM | ? | 20 KB |  |" in text
    assert "33 KB \\| measured" in text and "&lt;b>with" in text
    assert f"tflite-compress repeat {tmp_path / 'r' / 'manifest.json'}" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") in (4, 5) for line in rows)


def test_verdicts(tmp_path: Path) -> None:
    failed = sample_report(verdict=LOST)
    (lost,) = read_results(write_result(tmp_path / "a", failed))
    assert "✗ **accuracy not kept**: top1 97 % → 80 %" in result_markdown(lost)
    unmeasured = accuracy(is_verified=False)
    verdict = report_verdict(unmeasured, None, (), False)
    unverified = sample_report(verdict=verdict, accuracy=unmeasured)
    (unknown,) = read_results(write_result(tmp_path / "b", unverified))
    assert "no data was given" in result_markdown(unknown)
    assert "| Accuracy |" not in result_markdown(unknown)


def test_several_results_side_by_side(run: Run, tmp_path: Path) -> None:
    for device in ("rp2040", "esp32"):
        write_result(tmp_path / "all" / device, sample_report(device))
    text = side_by_side(read_results(tmp_path / "all"))
    assert len(text.splitlines()) == 4 and "| esp32 | int8 | ready | 96.8 % |" in text
    code, out, _ = run("report", str(tmp_path / "all"), "--compare")
    assert code == 0 and out == text
    code, out, _ = run("report", str(tmp_path / "all" / "esp32"))
    assert code == 0 and out.startswith("## digits.keras for Board esp32")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"accuracy": null}'])
def test_folders_without_a_report(run: Run, tmp_path: Path, content: str) -> None:
    folder = write_result(tmp_path / "r", sample_report())
    (folder / "report.json").write_text(content)
    for words in ([], [str(tmp_path / "none")], [str(folder)]):
        code, _, err = run("report", *words)
        assert code == 2 and err and "Traceback" not in err

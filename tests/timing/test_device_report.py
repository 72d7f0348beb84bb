"""Times that a device printed, read and taken into the report of a result folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.sample import sample_report, write_result
from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.device_times import add_device_times
from tflite_compress.reporting.figures import Fit
from tflite_compress.reporting.model import decode_report
from tflite_compress.reporting.timing_table import benchmark_record
from tflite_compress.support.errors import UsageError
from tflite_compress.timing.device_report import read_device_report

Run = Callable[..., tuple[int, str, str]]
CONTENT = b"a model"


def record(**changes: Any) -> dict[str, Any]:
    latency = {"name": "latency", "value": 2.5, "unit": "ms", "kind": "measured", "source": "Phone 1"}
    timing = {
        "name": "m.tflite, GPU",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "median_ms": {"value": 2.5, "low": 2.4, "high": 2.9},
        "turns": [[latency]] * 3,
    }
    refused = [{"name": "m.tflite, NPU", "why": "no NPU"}]
    where = "Maker Phone 1, Android 15, 2026-11-28"
    return {
        **{"schema": 1, "kind": "measured", "where": where, "timings": [], "on_device": [timing]},
        **{"refused": refused, "comparisons": [], "throughput": [], "call_overhead_ms": None, "notes": []},
        **changes,
    }


def saved(folder: Path, content: object, before: str = "") -> Path:
    path = folder / "phone.txt"
    path.write_text(before + (content if isinstance(content, str) else json.dumps(content)) + "\n")
    return path


@pytest.mark.parametrize("before", ["", "--------- beginning of main\nm.tflite on GPU: as expected\n"])
def test_the_log_of_a_phone_is_read_and_written_alike(tmp_path: Path, before: str) -> None:
    found = read_device_report(saved(tmp_path, record(), before))
    assert benchmark_record(found) == record()


def test_an_indented_file_is_read(tmp_path: Path) -> None:
    found = read_device_report(saved(tmp_path, json.dumps(record(), indent=2)))
    assert found.on_device[0].median_ms.value == 2.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nothing", "holds no times of a device"),
        ("{}", "missing required field `schema`"),
        (record(kind="simulated"), "Invalid enum value 'simulated'"),
        (record(schema=2), "Invalid enum value 2"),
        (record(on_device=[]), "m.tflite, NPU: no NPU"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_device_report(saved(tmp_path, content))
    with pytest.raises(UsageError, match="cannot be read"):
        read_device_report(tmp_path / "none.txt")


@pytest.fixture
def result(tmp_path: Path) -> Path:
    unknown = Finding("latency", None, "unknown: not measured on the device", "Measure it.")
    fit = Fit(fits=True, findings=(unknown,))
    folder = write_result(tmp_path / "result", sample_report(fit=fit, device_latency=None))
    (folder / "bundle").mkdir()
    (folder / "bundle" / "m.tflite").write_bytes(CONTENT)
    data = {
        role: {"origin": "d.npz", "samples": 9, "sha256": "ef"} for role in ("train", "calibrate", "evaluate")
    }
    model = {"path": "/m/digits.keras", "sha256": "ab", "format": "keras"}
    manifest = {"model": model, "data": data, "outputs": {}, "versions": {}, "machine": "x", "seed": 0}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_the_command_takes_them_into_a_report(run: Run, result: Path, tmp_path: Path) -> None:
    code, out, err = run("benchmark", result, f"--from={saved(tmp_path, record())}")
    assert code == 0, err
    assert "Maker Phone 1, Android 15, 2026-11-28" in out and "the latency on the device, 2.5 ms (2.4" in out
    report = decode_report((result / "report.json").read_bytes())
    latency = report.device_latency
    assert latency is not None and latency.kind == "measured" and latency.value == 2.5
    assert latency.source == "m.tflite, GPU, on Maker Phone 1, Android 15, 2026-11-28"
    assert report.fit.measurement("latency") == latency and report.fit.fits
    assert "not measured on the device" not in (result / "report.md").read_text()
    assert "Maker Phone 1" in (result / "report.html").read_text()
    assert "Maker Phone 1" in (result / "report.md").read_text()


def test_times_of_another_file_are_refused(result: Path, tmp_path: Path) -> None:
    (result / "bundle" / "m.tflite").write_bytes(b"another")
    before = (result / "report.json").read_bytes()
    with pytest.raises(UsageError, match="the device ran another file"):
        add_device_times(result, read_device_report(saved(tmp_path, record())))
    assert (result / "report.json").read_bytes() == before


def test_without_a_model_the_command_needs_times(run: Run) -> None:
    code, _, err = run("benchmark")
    assert code == 2 and "MODEL is missing" in err

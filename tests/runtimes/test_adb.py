"""adb without a phone: the real adb that finds none, a stand-in that records its calls, recorded logs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.narrow import present
from tests.needs import tool
from tflite_compress.runtimes.adb import DELEGATES, Timing, adb_runtime, build_command, find_phone, parse_log
from tflite_compress.support.errors import CompressError, UsageError

LOGS = Path(__file__).parent / "logs"
STAND_IN = """#!/bin/sh
echo "$@" >> "$ADB_CALLS"
case "$*" in
  devices) printf 'List of devices attached\\n%b\\n' "$ADB_DEVICES" ;;
  *benchmark_model\\ --graph*) cat "$ADB_LOG"; exit ${ADB_EXIT:-0} ;;
  *push*) if [ -n "$ADB_PUSH_FAILS" ]; then echo "$ADB_PUSH_FAILS" >&2; exit 1; fi ;;
esac
"""


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for adb with one phone; gives the file its calls are written to."""
    adb = tmp_path / "bin" / "adb"
    adb.parent.mkdir()
    adb.write_text(STAND_IN)
    adb.chmod(0o755)
    monkeypatch.setenv("PATH", f"{adb.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("ADB_CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("ADB_DEVICES", "R58M12ABCDE\\tdevice")
    monkeypatch.setenv("ADB_LOG", str(LOGS / "gpu.txt"))
    (tmp_path / "benchmark_model").write_text("binary")
    return tmp_path / "calls"


@pytest.mark.parametrize(
    ("log", "timing"),
    [
        ("cpu.txt", Timing(17.187, 3512.391, 2950.34, None, 109.798, 50, 46.0859 * 2**20, None)),
        ("percentiles.txt", Timing(5.579, 1357.602, 1240.27, 1239.807, 2.565, 50, 109.832 * 2**20, None)),
        ("gpu.txt", Timing(119.515, 87.112, 63.7432, 51.891, 60.716, 1000, 55.4961 * 2**20, (29, 31))),
    ],
)
def test_recorded_logs_of_benchmark_model_are_read(log: str, timing: Timing) -> None:
    found = parse_log((LOGS / log).read_text())
    assert found is not None
    for name, value in vars(timing).items():
        other = getattr(found, name)
        assert other == (pytest.approx(value) if isinstance(value, float) else value), name


def test_a_log_that_breaks_off_gives_nothing() -> None:
    text = (LOGS / "gpu.txt").read_text()
    assert parse_log(text[: text.index("Inference timings")]) is None and parse_log("") is None


def test_what_is_run_and_removed(phone: Path, tmp_path: Path) -> None:
    answer = adb_runtime(tmp_path / "benchmark_model", "gpu", threads=2)(b"model", ())
    calls = phone.read_text().splitlines()
    assert calls[0] == "devices"
    start = "-s R58M12ABCDE "
    assert all(call.startswith(start) for call in calls[1:])
    steps = [call.removeprefix(start) for call in calls[1:]]
    folder = steps[0].removeprefix("shell mkdir -p ")
    assert folder.startswith("/data/local/tmp/tflite-compress-")
    assert steps[1].startswith("push ") and steps[1].endswith(f"{folder}/model.tflite")
    assert steps[2] == f"push {tmp_path}/benchmark_model {folder}/benchmark_model"
    assert steps[3] == f"shell chmod 755 {folder}/benchmark_model"
    assert steps[4] == "shell " + " ".join(build_command(folder, "gpu", 2))
    assert steps[5] == f"shell rm -rf {folder}" and len(steps) == 6
    latency, share = answer.measurement("latency"), answer.measurement("operators delegated")
    assert latency and latency.value == pytest.approx(51.891) and latency.kind == "measured"
    assert share and share.value == pytest.approx(29 / 31)
    assert answer.outputs is None and [n.code for n in answer.notes] == ["operators-delegated"]


def test_flags_of_each_delegate() -> None:
    lines = {delegate: " ".join(build_command("/d", delegate, 4)) for delegate in DELEGATES}
    assert all("--graph=/d/model.tflite --num_threads=4" in line for line in lines.values())
    assert "--use_xnnpack=true" in lines["cpu"] and "--use_nnapi=true" in lines["nnapi"]
    assert "--use_gpu=true" in lines["gpu"] and "--use_gpu" not in lines["cpu"]


def test_a_delegate_that_refused_the_model_is_noted(
    phone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADB_LOG", str(LOGS / "cpu.txt"))
    answer = adb_runtime(tmp_path / "benchmark_model", "gpu")(b"model", ())
    assert "delegate-refused" in [note.code for note in answer.notes]


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("", "adb finds no phone"),
        ("A\\tunauthorized", "does not trust this computer"),
        ("A\\toffline", "A is offline"),
        ("A\\tno permissions (user not in plugdev group)", "no permission"),
        ("A\\tdevice\\nB\\tdevice", "several phones"),
    ],
)
def test_no_usable_phone(phone: Path, monkeypatch: pytest.MonkeyPatch, devices: str, message: str) -> None:
    monkeypatch.setenv("ADB_DEVICES", devices)
    with pytest.raises(CompressError, match=message):
        find_phone(None)


def test_a_phone_by_its_serial(phone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADB_DEVICES", "A\\tdevice\\nB\\tdevice")
    assert find_phone("B")[-2:] == ["-s", "B"]
    with pytest.raises(CompressError, match="no phone 'C'"):
        find_phone("C")


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("adb: error: failed to copy: No space left on device", "storage is full"),
        ("adb: error: device 'A' not found", "disconnected"),
        ("adb: error: Permission denied", "does not allow"),
    ],
)
def test_trouble_on_the_way_still_cleans_up(
    phone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str, message: str
) -> None:
    monkeypatch.setenv("ADB_PUSH_FAILS", failure)
    with pytest.raises(CompressError, match=message):
        adb_runtime(tmp_path / "benchmark_model")(b"model", ())
    assert "shell rm -rf /data/local/tmp/tflite-compress-" in phone.read_text().splitlines()[-1]


def test_the_real_adb_without_a_phone() -> None:
    tool("adb", "adb")
    with pytest.raises(CompressError) as caught:
        find_phone(None)
    assert "USB debugging" in present(caught.value.hint)


def test_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no such benchmark_model"):
        adb_runtime(tmp_path / "none")
    (tmp_path / "binary").write_text("x")
    with pytest.raises(UsageError, match="no delegate is called 'hexagon'"):
        adb_runtime(tmp_path / "binary", "hexagon")  # type: ignore[arg-type]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="adb is missing"):
        find_phone(None)

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.reporting.sample import MANIFEST, sample_report
from tflite_compress.reporting.ledger import VARIABLE, ledger_path, record, remember, runs
from tflite_compress.support.errors import UsageError
from tflite_compress.support.progress import Silent


def add(path: Path, device: str = "rp2040") -> int:
    return record(path, "compress", Path("out/d.tflite"), sample_report(device), MANIFEST)


def test_what_is_recorded_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "runs.sqlite"
    assert runs(path) == []
    assert [add(path), add(path, "esp32"), add(path)] == [1, 2, 3]
    newest, *_ = found = runs(path)
    assert [run.id for run in found] == [3, 2, 1] and newest.report == sample_report()
    figures = newest.figures
    assert figures["bytes_after"] == 33424 and figures["file_sha256"] == "cd" and figures["fits"] is True
    assert figures["seconds"] == 7.5 and Path(figures["file"]).is_absolute()


def test_runs_are_filtered_by_device_model_and_id(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    for device in ("rp2040", "esp32", "rp2040"):
        add(path, device)
    assert [r.id for r in runs(path, device="rp2040")] == [3, 1]
    assert [r.id for r in runs(path, model="digits", max_runs=2)] == [3, 2] and runs(
        path, model="lenet"
    ) == []
    assert [r.id for r in runs(path, ids=[1, 3])] == [1, 3]
    with pytest.raises(UsageError, match="no run 9"):
        runs(path, ids=[1, 9])


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    with ProcessPoolExecutor(4) as pool:
        numbers = list(pool.map(add, [path] * 24))
    assert sorted(numbers) == list(range(1, 25)) and len(runs(path, max_runs=100)) == 24


def test_the_ledger_path_follows_option_variable_and_xdg(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert ledger_path() == Path("ledger.sqlite")  # the tests' own setting
    assert ledger_path("mine.sqlite") == Path("mine.sqlite") and ledger_path("none") is None
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert ledger_path() == tmp_path / "tflite-compress" / "runs.sqlite"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ledger_path() == tmp_path / ".local" / "share" / "tflite-compress" / "runs.sqlite"


class Listener(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def test_a_broken_ledger_harms_no_result(tmp_path: Path) -> None:
    broken, listener = tmp_path / "broken.sqlite", Listener()
    broken.write_bytes(b"not a database, but long enough to be taken for one" * 40)
    remember(str(broken), "compress", [(Path("d.tflite"), sample_report(), MANIFEST)], listener)
    (tmp_path / "file").write_text("")
    under = str(tmp_path / "file" / "runs.sqlite")
    remember(under, "compress", [(Path("d.tflite"), sample_report(), MANIFEST)], listener)
    assert len(listener.said) == 2 and all("not recorded" in text for text in listener.said)


def test_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    add(path)
    with sqlite3.connect(path) as connection:
        connection.execute("pragma user_version = 99")
    with pytest.raises(UsageError, match="later version"):
        add(path)
    with pytest.raises(UsageError, match="later version"):
        runs(path)


@pytest.mark.slow
def test_compress_records_and_runs_lists(run: Run, digits: Path, digits_data: Path, tmp_path: Path) -> None:
    ledger = f"--ledger={tmp_path / 'runs.sqlite'}"
    words = [
        str(digits),
        f"--data={digits_data}",
        "--device=android-cpu,android-gpu",
        "--recipe=float16",
        "--out=o",
    ]
    assert run("compress", *words, "--bundle=false", "--details=false", ledger)[0] == 0
    code, out, _ = run("runs", ledger)
    assert code == 0 and "android-cpu" in out and "android-gpu" in out and "digits.keras" in out
    code, out, _ = run("runs", "1", "2", ledger)
    assert code == 0 and "run 1" in out and "run 2" in out and "accuracy" in out
    code, out, _ = run("runs", "--device=android-gpu", "--json", ledger)
    (found,) = json.loads(out)
    assert Path(found["file"]).exists() and found["report"]["device"]["name"] == "android-gpu"
    assert found["bytes_after"] == Path(found["file"]).stat().st_size


@pytest.mark.parametrize(
    "words", [["runs", "--ledger=none"], ["runs", "x", "--ledger=l"], ["runs", "5", "--ledger=l"]]
)
def test_wrong_arguments_exit_with_code_2(run: Run, words: list[str]) -> None:
    code, _, err = run("runs", *words)
    assert code == 2 and err and "Traceback" not in err

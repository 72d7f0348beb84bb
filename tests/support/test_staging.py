from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from tflite_compress.support.errors import OutputError
from tflite_compress.support.staging import result_folder, write_file


def write_result(target: Path, text: str) -> None:
    with result_folder(target) as folder:
        write_file(folder / "model.tflite", text)
        write_file(folder / "manifest.json", json.dumps({"outputs": {"model.tflite": {}}, "files": []}))


def test_a_result_appears_whole(tmp_path: Path) -> None:
    write_result(tmp_path / "a" / "out", "one")
    assert (tmp_path / "a" / "out" / "model.tflite").read_text() == "one"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["out"]


def test_an_earlier_result_is_replaced(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write_result(tmp_path / "out", text)
    assert (tmp_path / "out" / "model.tflite").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), result_folder(tmp_path / "a" / "out") as folder:
        write_file(folder / "half", "x")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_earlier_result(tmp_path: Path) -> None:
    write_result(tmp_path / "out", "one")
    with pytest.raises(ValueError), result_folder(tmp_path / "out"):
        raise ValueError
    assert (tmp_path / "out" / "model.tflite").read_text() == "one"


def test_a_folder_of_the_users_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(OutputError, match="something other than a result"), result_folder(tmp_path):
        pass
    write_result(tmp_path / "out", "one")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="something other"), result_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_file_in_place_of_the_output_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError), result_folder(tmp_path / "out"):
        pass


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no space left"), result_folder(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_two_runs_into_one_folder(tmp_path: Path) -> None:
    with result_folder(tmp_path / "out") as folder:
        write_file(folder / "model.tflite", "one")
        write_file(folder / "manifest.json", json.dumps({"outputs": {"model.tflite": {}}}))
        with pytest.raises(OutputError, match="another run"), result_folder(tmp_path / "out"):
            pass
        write_result(tmp_path / "other", "two")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "out"]
    assert (tmp_path / "out" / "model.tflite").read_text() == "one"


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".out.abcd1234.partial").mkdir()
    (tmp_path / ".out.abcd1234.partial" / "half").write_text("x")
    (tmp_path / ".out.lock").write_text("")
    (tmp_path / ".out.mine").write_text("not ours")
    write_result(tmp_path / "out", "one")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".out.mine", "out"]


def test_a_result_set_aside_by_a_killed_run_comes_back(tmp_path: Path) -> None:
    write_result(tmp_path / "out", "one")
    (tmp_path / ".out.abcd1234.old").mkdir()
    (tmp_path / "out").rename(tmp_path / ".out.abcd1234.old" / "old")
    with pytest.raises(ValueError), result_folder(tmp_path / "out"):
        raise ValueError
    assert (tmp_path / "out" / "model.tflite").read_text() == "one"


@pytest.mark.parametrize("one_step", [True, False])
def test_replacing_where_the_system_cannot_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_step: bool
) -> None:
    from tflite_compress.support import staging as output

    if not one_step:
        monkeypatch.setattr(output, "_exchanged", lambda staging, target: False)
    for text in ("one", "two"):
        write_result(tmp_path / "out", text)
    assert (tmp_path / "out" / "model.tflite").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]

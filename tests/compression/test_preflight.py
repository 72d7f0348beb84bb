from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tflite_compress.compression import preflight
from tflite_compress.compression.options import Options
from tflite_compress.data.gather import DataSpec
from tflite_compress.models.declared_inputs import declared_inputs
from tflite_compress.support import packages
from tflite_compress.support.errors import CompressError, MissingPackageError, OutputError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sources(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", x=np.zeros((9, 7, 8, 1)), y=np.zeros(9))
    np.savez(tmp_path / "gray.npz", x=np.zeros((9, 8, 8)), y=np.zeros(9))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "bad.npz").read_bytes()[:200])
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--data=gone.npz", "gone.npz: no such file"),
        ("--data=gone", "gone: no such file or folder"),
        ("--data=gone:samples", "--data=gone:samples: No module named 'gone'"),
        ("--data=cut.npz", "cut.npz: cannot be read"),
        ("--data=bad.npz", "input 'image' has shape (9, 7, 8, 1), the model takes (samples, 8, 8, 1)"),
        ("--data=empty", "empty: contains no images"),
        ("--data=gray.npz --preprocess=gone:f", "--preprocess=gone:f: No module named 'gone'"),
        ("--data=gray.npz --metric=gone:f", "--metric=gone:f: No module named 'gone'"),
        ("--data=gray.npz --loss=gone:f", "--loss=gone:f: No module named 'gone'"),
        ("--data=gray.npz --custom-objects=gone:f", "--custom-objects=gone:f: No module named 'gone'"),
        ("--data=gray.npz --out=taken", "--out=taken: exists and holds something other than a result"),
        ("--data=gray.npz --out=/proc/result", "/proc/result: cannot be written"),
        ("--data=gray.npz --recipe=prune-int8 --unlabelled=gone", "gone: no such file or folder"),
        (
            "--data=gray.npz --unlabelled=gray.npz",
            "unlabelled data are for recipes that train a network, and int8",
        ),
        ("--eval=gray.npz", "calibrates int8 ranges and only evaluation data was given"),
    ],
)
@pytest.mark.usefixtures("sources")
def test_a_dry_run_refuses_what_the_run_would(
    run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch, option: str, message: str
) -> None:
    words = ("compress", digits, "--device=rp2040", *option.split())
    dry = run(*words, "--dry-run")
    assert dry[:2] == (2, "") and message in dry[2], dry
    monkeypatch.setattr("tflite_compress.compression.open_session.open_session", None)  # not reached
    assert run(*words) == dry


@pytest.mark.usefixtures("sources")
def test_what_is_right_passes(run: Run, digits: Path) -> None:
    code, out, err = run("compress", digits, "--device=rp2040", "--data=gray.npz", "--dry-run")
    assert (code, err) == (0, "") and "nothing was run" in out


def test_a_model_that_cannot_be_read(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.keras").write_bytes(digits.read_bytes()[:5000])
    for name, message in (("cut.keras", "damaged or cut off"), ("gone.json", "no such file")):
        with pytest.raises(CompressError, match=message):
            preflight.check_inputs(name, DataSpec(), Options())


def test_packages_and_disk(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "CONVERSION_COPIES", 10**12)
    with pytest.raises(OutputError, match="no space left"):
        preflight.check_inputs(digits, DataSpec(), Options())
    monkeypatch.undo()
    monkeypatch.chdir(digits.parent)
    monkeypatch.setattr(packages, "_ONLY_IN_FULL", {"no_such_module": "no-such-package"})
    with pytest.raises(MissingPackageError, match="no-such-package"):
        preflight.check_inputs(digits, DataSpec(), Options())


def test_declared_inputs(digits: Path) -> None:
    (found,) = declared_inputs(digits)
    assert (found.name, found.shape, found.dtype) == ("image", (None, 8, 8, 1), "float32")

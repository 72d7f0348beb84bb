"""Checks of whole files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tests.data.pictures import picture
from tests.timing.models import dense, relu
from tflite_compress.checking.check_file import check_file, verify_file
from tflite_compress.checking.model_findings import check_page_types
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.run_result import RunResult
from tflite_compress.support.time_budget import TimeBudget
from tflite_compress.tflite.flatbuffer import pack, schema, unpack


@pytest.mark.parametrize(
    ("seconds", "notes"),
    [
        (None, []),
        (600.0, []),
        (1e-6, ["the time budget of 1e-06 s was used: outputs compared on 1 of 4 samples"]),
    ],
)
def test_verify_runs_as_many_samples_as_the_time_budget_allows(
    tmp_path: Path, seconds: float | None, notes: list[str]
) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense(4))
    (found,) = verify_file(path, ["litert-reference"], samples=4, time_budget_seconds=seconds)
    assert isinstance(found.result, RunResult) and found.is_same
    assert [note.text for note in found.result.notes] == notes
    assert found.result.outputs is not None
    assert len(found.result.outputs[0]) == (1 if notes else 4)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "dense.tflite"
    path.write_bytes(dense(4))
    return path


def data() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((40, 4), np.float32), np.arange(40) % 4


def test_check_names_what_the_time_budget_left_undone(file: Path) -> None:
    options: dict[str, Any] = {"min_accuracy": 0.0, "data": data(), "time_budget_seconds": 1e-9}
    micro, pi, npu = check_file(file, ["rp2040", "raspberry-pi-4", "alif-ensemble-e7"], **options)
    used = "the time budget of 1e-09 s was used"
    for verdict, runtime in ((micro, "TFLite Micro"), (pi, "LiteRT"), (npu, "TFLite Micro")):
        assert not verdict.fits and verdict.outcome.kind == "not-established"
        found = {f.subject: (f.fits, f.text) for f in verdict.findings}
        assert found["runs"] == (None, f"{runtime} not run: {used}")
        assert found["RAM"] == (None, f"unknown: {runtime} not run: {used}")
        assert found["accuracy"] == (None, f"not measured: {used}")
    assert ("NPU", None, f"Vela not run: {used}") in [(f.subject, f.fits, f.text) for f in npu.findings]


def test_check_measures_accuracy_on_as_many_samples_as_the_time_budget_allows(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimeBudget, "affords", lambda self, count, tried, start: 36)
    options: dict[str, Any] = {"min_accuracy": 0.0, "data": data(), "time_budget_seconds": 600.0}
    (verdict,) = check_file(file, ["raspberry-pi-4"], **options)
    assert verdict.fits
    ending = "; on 36 of 40 samples, as the time budget of 600 s allows"
    assert verdict.findings[-1].text.endswith(ending) and "36 samples of" in verdict.findings[-1].text


@pytest.mark.parametrize(
    "command", [("check", "--device=raspberry-pi-4"), ("verify", "--runtime=litert-reference")]
)
def test_images_are_resized_on_request(run: Run, tmp_path: Path, command: tuple[str, str]) -> None:
    (tmp_path / "m.tflite").write_bytes(relu((1, 4, 5, 3)))
    picture(tmp_path / "pics" / "a.png")
    words = (command[0], tmp_path / "m.tflite", command[1], f"--data={tmp_path / 'pics'}")
    code, _, err = run(*words)
    assert code == 2 and "a.png: is 20x10 pixels, expected 5x4" in err and "--resize" in err
    assert run(*words, "--resize")[0] == 0


def test_a_browser_needs_types_and_sizes_that_litert_js_takes(tmp_path: Path) -> None:
    tree = unpack(dense(4))
    for index in (0, 2, 4):
        tree.subgraphs[0].tensors[index].shapeSignature = [-1, 4]
    (tmp_path / "open.tflite").write_bytes(pack(tree))
    (found,) = check_file(tmp_path / "open.tflite", ["web-wasm"])
    (shapes,) = [f for f in found.findings if f.subject == "shapes"]
    assert shapes.fits is None and "LiteRT.js takes no open sizes" in shapes.text
    tree.subgraphs[0].tensors[0].type = schema().TensorType.INT64
    (types,) = check_page_types(tree, load_device("web-wasm"))
    assert types.fits is False and "'x' is of type int64" in types.text
    assert check_page_types(tree, load_device("android-cpu")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task=classification"], "--task needs --min-accuracy"),
        (["--head=fomo"], "--head needs --min-accuracy"),
        (["--metric=top1"], "--metric needs --min-accuracy"),
        (["--head=ssd", "--anchors=no.npy", "--min-accuracy=0.5", "--data=d.npz"], "no.npy: cannot be read"),
    ],
)
def test_options_of_accuracy_are_not_ignored(
    run: Run, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "dense.tflite").write_bytes(dense(4))
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 4), np.float32), y=np.zeros(2, np.int64))
    code, _, err = run("check", "dense.tflite", "--device=raspberry-pi-4", *options)
    assert code == 2 and message in err and "hint:" in err

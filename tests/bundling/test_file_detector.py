"""A bundle of a bare detector file has its post-processing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.timing.models import relu
from tflite_compress.bundling.bundle_file import bundle_file
from tflite_compress.bundling.file_detector import POSTPROCESS, _stored_classes, find_file_detector
from tflite_compress.data.opened_file import OpenedFile, open_content
from tflite_compress.scoring.joint_output import NO_HEAD, HeadOptions
from tflite_compress.support.errors import DataError, UsageError
from tflite_compress.support.notes import Note
from tflite_compress.tflite.flatbuffer import pack, read_tree
from tflite_compress.tflite.tensor_specs import FileTensorSpec

GRID = (1, 8, 8, 4)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "grid.tflite"
    path.write_bytes(relu(GRID))
    return path


def test_a_named_head_is_written(file: Path, tmp_path: Path) -> None:
    folder = bundle_file(file, "raspberry-pi-4", out=tmp_path / "out", head=HeadOptions("fomo"))
    text = (folder / "postprocess.py").read_text()
    assert "DECODER = Fomo(" in text and "head fomo" in (folder / "README.md").read_text()


def test_boxes_as_labels_make_a_file_a_detector(file: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "data.npz",
        x=rng.random((4, *GRID[1:]), np.float32),
        y=np.tile([0, 0.1, 0.1, 0.5, 0.5], (4, 1, 1)),
    )
    folder = bundle_file(file, "raspberry-pi-4", tmp_path / "data.npz", out=tmp_path / "out")
    assert (folder / "postprocess.py").is_file()


def test_other_files_have_none(file: Path, tmp_path: Path) -> None:
    folder = bundle_file(file, "raspberry-pi-4", out=tmp_path / "out")
    assert not (folder / "postprocess.py").exists()


def test_a_wrong_head_is_refused(file: Path, tmp_path: Path) -> None:
    for head, words in (("yolo-v8", "does not fit outputs of shape"), ("ssd", "needs the anchors")):
        with pytest.raises(DataError, match=words):
            bundle_file(file, "raspberry-pi-4", out=tmp_path / "out", head=HeadOptions(head))
    with pytest.raises(UsageError, match="--anchors is for"):
        bundle_file(file, "raspberry-pi-4", out=tmp_path / "out", head=HeadOptions("fomo", "a.npy"))


def opened_as(*shapes: tuple[int, ...]) -> OpenedFile:
    """A file with an image as input and outputs of these shapes."""
    opened = open_content(relu((1, 32, 32, 3)), None, "none")
    outputs = tuple(FileTensorSpec(f"y{i}", i, shape, "FLOAT32", 0.0, 0) for i, shape in enumerate(shapes))
    return replace(opened, signature=replace(opened.signature, outputs=outputs))


def test_a_head_is_suggested_where_shapes_allow_one_only() -> None:
    said: list[Note] = []
    assert find_file_detector(opened_as((1, 7, 64)), NO_HEAD, said.append) is None
    assert [note.text for note in said] == ["if this is a detector, add its post-processing: --head=yolo-v8"]
    said.clear()
    for shapes in (((1, 32, 32, 4),), ((1, 10),)):  # segmentation, classification
        assert find_file_detector(opened_as(*shapes), NO_HEAD, said.append) is None
    assert said == []


def test_the_number_of_classes_is_read_from_the_operator() -> None:
    assert _stored_classes(relu(GRID)) == 0
    model = read_tree(relu(GRID))
    model.operatorCodes[0].customCode = POSTPROCESS
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 32  # CUSTOM
    stored = bytes(flexbuffers.Dumps({"num_classes": 7, "max_detections": 10}))
    model.subgraphs[0].operators[0].customOptions = np.frombuffer(stored, np.uint8)
    assert _stored_classes(pack(model)) == 7

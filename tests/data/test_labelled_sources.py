"""Annotated images as data sources: which kind a path is, and what reaches the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.pictures import mask, picture, text
from tests.data.test_coco_json import coco
from tests.data.test_voc_xml import xml
from tests.narrow import of_type
from tflite_compress.data.file_source import find_source
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.data.samples import RawData, Samples, bind
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.data.split import from_sources
from tflite_compress.models.network import Network, TensorSpec
from tflite_compress.support.errors import DataError

IMAGE = TensorSpec("image", (None, 10, 20, 3), "float32")
MAP = TensorSpec("classes", (None, 5, 10, 3), "float32")


def make(folder: Path, kind: str) -> Path:
    """Write a small source of a kind, and return its path."""
    if kind == "masks beside":
        picture(folder / "a.jpg")
        return mask(folder / "a_mask.png", np.ones((10, 20))).parent
    picture(folder / "images" / "a.png")
    picture(folder / "images" / "b.png")
    if kind == "coco":
        return coco(folder / "c.json")
    if kind == "yolo":
        text(folder / "labels" / "a.txt", "0 0.5 0.5 0.2 0.2")
        return folder
    if kind == "voc":
        (folder / "images").rename(folder / "JPEGImages")
        return xml(folder / "Annotations" / "a.xml").parent.parent
    if kind == "image-table":
        return text(folder / "t.csv", "name,x,y\na.png,1,2\nb.png,3,4\n")
    for name in ("a", "b"):
        mask(folder / "masks" / f"{name}.png", np.full((10, 20), 2))
    return folder


@pytest.mark.parametrize(
    ("kind", "tag", "shape"),
    [
        ("coco", "coco", (2, 2, 5)),
        ("yolo", "yolo", (2, 1, 5)),
        ("voc", "voc", (1, 1, 5)),
        ("image-table", "image-table", (2, 2)),
        ("masks", "masks", (2, 10, 20)),
        ("masks beside", "masks", (1, 10, 20)),
    ],
)
def test_each_kind_is_recognized_and_read(
    tmp_path: Path, kind: str, tag: str, shape: tuple[int, ...]
) -> None:
    path = make(tmp_path, kind)
    source = find_source(path)
    assert source is not None and source.tag == tag
    source.check(IMAGE)
    raw = read(path, ReadOptions(IMAGE))["all"]
    assert of_type(np.ndarray, raw.inputs).shape == (shape[0], 10, 20, 3)
    assert of_type(np.ndarray, raw.labels).shape == shape
    assert raw.origin == str(path) and "unscaled-pixels" in [note.code for note in raw.notes]


def test_parts_keep_their_names(tmp_path: Path) -> None:
    for part in ("train", "val"):
        picture(tmp_path / "images" / part / "a.png")
        text(tmp_path / "labels" / part / "a.txt", "0 0.5 0.5 0.2 0.2")
    found = read(tmp_path, ReadOptions(IMAGE, "unit"))
    assert {part: raw.origin for part, raw in found.items()} == {
        "train": f"{tmp_path}:train",
        "eval": f"{tmp_path}:eval",
    }
    assert found["train"].notes == ()


def test_folders_of_classes_are_no_other_kind(tmp_path: Path) -> None:
    for name in ("images", "cats"):
        picture(tmp_path / name / "a.png")
    source = find_source(tmp_path)
    assert source is not None and source.tag == "images"


def test_masks_take_the_size_of_the_output(tmp_path: Path) -> None:
    network = Network("net", None, (IMAGE,), (MAP,))
    path = make(tmp_path, "masks")
    with pytest.raises(DataError, match="'classes' have 10x20 positions, the output has 5x10") as caught:
        gather(DataSpec(data=path), network, 0)
    assert "--resize" in str(caught.value.hint)
    splits = gather(DataSpec(data=path, resize=True), network, 0)
    assert splits.evaluate.labels is not None and splits.evaluate.labels[0].shape == (1, 5, 10)
    one_class = Network("net", None, (IMAGE,), (TensorSpec("classes", (None, 10, 20, 2), "float32"),))
    with pytest.raises(DataError, match="class 2 at x=0, y=0; the classes are 0 to 1"):
        gather(DataSpec(data=path), one_class, 0)


def test_pixels_without_a_class_are_accepted_in_maps_only() -> None:
    x, y = np.zeros((1, 10, 20, 3)), np.full((1, 5, 10), -1)
    labels = bind(RawData(x, y, "d"), (IMAGE,), (MAP,)).labels
    assert labels is not None and labels[0].min() == -1
    with pytest.raises(DataError, match="run from -2 to -2"):
        bind(RawData(x, y - 1, "d"), (IMAGE,), (MAP,))


def test_sources_with_other_classes_are_refused() -> None:
    x = (np.zeros((2, 4), np.float32),)
    train, evaluate = Samples(x, None, "a", ("cat", "dog")), Samples(x, None, "b", ("cat", "cow", "dog"))
    with pytest.raises(DataError, match="class 1 is dog in a and cow in b"):
        from_sources(train, None, evaluate, 0)
    assert from_sources(train, None, train, 0).evaluate.class_names == ("cat", "dog")

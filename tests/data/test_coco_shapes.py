"""Polygons and key points of COCO files as labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.data.pictures import picture, text
from tflite_compress.data.coco_shapes import read_key_points, read_masks_of
from tflite_compress.data.file_source import find_source
from tflite_compress.data.files.coco_file import CocoFile
from tflite_compress.data.sources import ReadOptions
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError, UsageError

SQUARE = [2, 2, 9, 2, 9, 5, 2, 5]
POINTS = [2, 1, 2, 10, 5, 1, 20, 10, 2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    return tmp_path


def coco(folder: Path, *annotations: Mapping[str, object]) -> Path:
    """Write a file with two images of 20x10 pixels and two classes."""
    content = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 20, "height": 10},
            {"id": 2, "file_name": "b.png"},
        ],
        "categories": [{"id": 9, "name": "dog"}, {"id": 3, "name": "car"}],
        "annotations": [{"image_id": 1, "category_id": 9, **values} for values in annotations],
    }
    return text(folder / "c.json", json.dumps(content))


def test_polygons_are_filled_with_class_numbers(folder: Path) -> None:
    crowd = {"segmentation": {"counts": [0, 10, 190], "size": [10, 20]}, "iscrowd": 1}
    found = read_masks_of(coco(folder, {"segmentation": [SQUARE]}, crowd), None)
    wanted = np.zeros((10, 20), int)
    wanted[2:5, 2:9] = 2
    wanted[:, 0] = -1  # the first column is in the crowd region
    assert np.array_equal(found.labels[0], wanted) and not found.labels[1].any()
    assert found.class_names == ("background", "car", "dog")


def test_masks_have_the_same_pixels_as_pycocotools(folder: Path) -> None:
    from pycocotools.mask import decode, frPyObjects  # type: ignore[import-untyped]

    polygon = [1.0, 1.0, 17.0, 2.0, 12.0, 9.0, 3.0, 7.0]
    found = read_masks_of(coco(folder, {"segmentation": [polygon]}), None).labels[0] > 0
    exact = decode(frPyObjects([polygon], 10, 20))[..., 0] > 0
    assert (found ^ exact).sum() <= 0.05 * exact.sum()  # it rounds edges


def test_key_points_are_those_of_the_largest_object(folder: Path) -> None:
    small = {"keypoints": [1, 1, 2, 2, 2, 2, 3, 3, 2]}
    found = read_key_points(coco(folder, small, {"keypoints": POINTS}), (None, 3, 3))
    assert np.allclose(found.labels, np.array([[[0.1, 0.1, 1], [0.5, 0.5, 1], [1, 1, 1]]]))
    assert [file.name for file in found.files] == ["a.png"]
    assert [note.text for note in found.notes] == ["1 images without key points are left out"]
    assert read_key_points(coco(folder, {"keypoints": POINTS}), (None, 6)).labels.shape == (1, 6)


def test_an_output_without_visibility_takes_complete_objects_only(folder: Path) -> None:
    hidden = [*POINTS[:8], 0]
    with pytest.raises(DataError, match="no image has an object with labelled key points"):
        read_key_points(coco(folder, {"keypoints": hidden}), (None, 3, 2))
    found = read_key_points(coco(folder, {"keypoints": hidden}), (None, 3, 3))
    assert found.labels[0, 2, 2] == 0


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"segmentation": [[1, 2, 3, 4]]}, r"annotations\[0\]: a polygon has 4 numbers"),
        ({"segmentation": {"counts": "abc"}}, r"annotations\[0\]: segmentation is run-length encoded"),
        ({"category_id": 5, "segmentation": []}, r"annotations\[0\]: category_id 5 is not in categories"),
        ({}, r"in annotations\[0\]: Object missing required field `segmentation`"),
    ],
)
def test_malformed_polygons_are_named(folder: Path, values: dict[str, object], match: str) -> None:
    with pytest.raises(DataError, match=match):
        CocoFile(str(coco(folder, values)), "masks").check(None)


def test_malformed_key_points_are_named(folder: Path) -> None:
    file = coco(folder, {"keypoints": POINTS})
    with pytest.raises(DataError, match=r"annotations\[0\]: has 9 numbers in keypoints, expected 15"):
        read_key_points(file, (None, 5, 2))
    with pytest.raises(DataError, match="holds no key points"):
        read_key_points(file, (None, 10, 10, 2))
    with pytest.raises(DataError, match="Expected `array`, got `str`"):
        CocoFile(str(coco(folder, {"keypoints": "x"})), "key-points").check(None)


def test_the_setting_chooses_what_labels_are(folder: Path) -> None:
    file = str(coco(folder, {"segmentation": [SQUARE], "keypoints": POINTS, "bbox": [2, 2, 7, 3]}))
    image, shape = TensorSpec("x", (None, 10, 20, 3), "float32"), {"masks": (5, 10, 3), "key-points": (3, 2)}
    for kind, expected in (("masks", (2, 5, 10)), ("key-points", (1, 3, 2)), ("boxes", (2, 1, 5))):
        outputs = (TensorSpec("y", (None, *shape.get(kind, (4, 7))), "float32"),)
        options = ReadOptions(image, "none", True, 100, ("x",), outputs)
        labels = CocoFile(file, kind).read(options)["all"].labels  # type: ignore[arg-type]
        assert isinstance(labels, np.ndarray) and labels.shape == expected
    with pytest.raises(UsageError, match="annotations"):
        find_source(CocoFile(file, "polygons"))  # type: ignore[arg-type]

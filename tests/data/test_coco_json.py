from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.pictures import picture, text
from tflite_compress.data.coco_json import coco_parts, read_coco, read_coco_file
from tflite_compress.support.errors import DataError


def coco(path: Path, **changes: object) -> Path:
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 20, "height": 10},
            {"id": 9, "file_name": "b.png"},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}],
        "annotations": [
            {"image_id": 7, "category_id": 18, "bbox": [0, 0, 10, 5]},
            {"image_id": 7, "category_id": 3, "bbox": [10, 5, 10.1, 5], "segmentation": []},
        ],
    }
    return text(path, json.dumps(content | changes, indent=1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "val2017" / "a.png")
    picture(tmp_path / "val2017" / "b.png")
    return tmp_path


def box(**changes: object) -> list[dict[str, object]]:
    return [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4]} | changes]


@pytest.mark.parametrize(
    "place", ["annotations/instances.json", "instances.json", "val2017/_annotations.json"]
)
def test_boxes_are_shares_of_the_image_and_classes_are_ordered_by_id(folder: Path, place: str) -> None:
    found = read_coco_file(coco(folder / place))
    assert [file.name for file in found.files] == ["a.png", "b.png"]
    assert found.class_names == ("car", "dog")
    assert found.labels.dtype == "float32" and found.labels.shape == (2, 2, 5)
    assert found.labels[0].tolist() == [[1, 0, 0, 0.5, 0.5], [0, 0.5, 0.5, 1, 1]]
    assert found.labels[1, :, 0].tolist() == [-1, -1]
    assert [note.text for note in found.notes] == ["labels are numbered 0 car, 1 dog"]


def test_crowds_and_boxes_without_area_are_left_out_and_counted(folder: Path) -> None:
    boxes = [*box(), *box(iscrowd=1), *box(bbox=[1, 2, 0, 4])]
    found = read_coco_file(coco(folder / "c.json", annotations=boxes))
    assert found.labels.shape == (2, 1, 5)
    assert [note.text for note in found.notes][1:] == [
        "1 crowd regions are left out of the labels",
        "1 boxes without area are left out of the labels",
    ]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"annotations": []}, r"c\.json: contains no boxes"),
        ({"images": []}, "images is empty"),
        ({"annotations": box(category_id=4)}, r"annotations\[0\]: category_id 4 is not in categories"),
        ({"annotations": box(image_id=1)}, r"annotations\[0\]: image_id 1 is not in images"),
        ({"annotations": box(bbox=[15, 0, 9, 4])}, r"annotations\[0\]: the box reaches outside of the image"),
        ({"annotations": box(bbox=[5, 5, -2, 4])}, "width or height of the box is negative"),
        ({"annotations": box(bbox=[5, 5, 2])}, r"in annotations\[0\]\.bbox: Expected `array` of length 4"),
        ({"annotations": [{"image_id": 7, "category_id": 3}]}, r"missing required field `bbox`"),
        ({"annotations": box(category_id="car")}, r"in annotations\[0\]\.category_id: Expected `int`"),
        ({"images": [{"id": 7, "file_name": "gone.png"}]}, r"images\[0\]: there is no image gone\.png in"),
        ({"images": [{"id": 7, "file_name": "a.png", "width": 21}]}, "the size is 21x10, .* 20x10 pixels"),
        ({"images": [{"id": 7, "file_name": "a.png"}] * 2}, "images: id 7 occurs twice"),
        ({"categories": [{"id": 3, "name": "a"}] * 2}, "categories: id 3 occurs twice"),
    ],
)
def test_a_malformed_element_is_named(folder: Path, changes: dict[str, object], match: str) -> None:
    with pytest.raises(DataError, match=match) as caught:
        read_coco_file(coco(folder / "c.json", **changes))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ('{"images": [],\n "annotations": [,]}', r"line 2, column 18 is not JSON"),
        ("[]", "not in the format of COCO: Expected `object`"),
        ("", "line 1, column 1 is not JSON"),
        ('{"images": ' + "[" * 100_000, "images\\[0\\]: Expected `object`, got `array`"),
    ],
)
def test_text_that_is_not_json_is_named_by_its_line(tmp_path: Path, content: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        read_coco_file(text(tmp_path / "c.json", content))


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b'{"images": [{"id": 1, "file_name": "\xff\xfe"}]}')
    with pytest.raises(DataError, match="is not JSON"):
        read_coco_file(tmp_path / "c.json")


def test_exported_folders_are_divided(folder: Path) -> None:
    coco(folder / "val2017" / "_annotations.coco.json")
    assert set(read_coco(folder / "val2017")) == {"all"} and coco_parts(folder) is None
    (folder / "val2017").rename(folder / "valid")
    for name in ("a", "b"):
        picture(folder / "train" / f"{name}.png")
    coco(folder / "train" / "_annotations.coco.json")
    found = read_coco(folder)
    assert {part: one.files[0].parent.name for part, one in found.items()} == {
        "train": "train",
        "eval": "valid",
    }

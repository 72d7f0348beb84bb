from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.pictures import picture, text
from tflite_compress.data.yolo_text import read_yolo
from tflite_compress.support.errors import DataError

NAMES = "names: [cat, dog]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        picture(tmp_path / "images" / f"{name}.png")
    text(tmp_path / "labels" / "a.txt", "1 0.25 0.5 0.5 1\n\n0 0.75 0.75 0.5 0.5\n")
    return tmp_path


def test_an_image_without_a_label_file_has_no_objects(folder: Path) -> None:
    found = read_yolo(folder)["all"]
    assert found.labels.shape == (2, 2, 5) and found.labels.dtype == "float32"
    assert found.labels[0].tolist() == [[1, 0, 0, 0.5, 1], [0, 0.5, 0.5, 1, 1]]
    assert found.labels[1, :, 0].tolist() == [-1, -1]
    assert found.class_names == () and found.notes == ()


@pytest.mark.parametrize("place", ["classes.txt", "labels/classes.txt"])
def test_classes_are_named_by_a_text_file(folder: Path, place: str) -> None:
    text(folder / place, "cat\ndog\n")
    found = read_yolo(folder)["all"]
    assert found.class_names == ("cat", "dog")
    assert found.notes[0].text == "labels are numbered 0 cat, 1 dog"


def test_subfolders_divide_the_images(tmp_path: Path) -> None:
    for part in ("train", "val"):
        picture(tmp_path / "images" / part / "a.png")
        text(tmp_path / "labels" / part / "a.txt", "0 0.5 0.5 0.2 0.2")
    found = read_yolo(tmp_path)
    assert {part: str(x.files[0].relative_to(tmp_path)) for part, x in found.items()} == {
        "train": "images/train/a.png",
        "eval": "images/val/a.png",
    }


@pytest.mark.parametrize("train", ["../train/images", "train/images", "train.txt", "[train/images]"])
@pytest.mark.parametrize("names", ["names: [cat]\nnc: 1\n", "names: {0: cat}\n"])
def test_settings_name_classes_and_parts(tmp_path: Path, train: str, names: str) -> None:
    for part in ("train", "valid"):
        picture(tmp_path / part / "images" / "a.png")
        text(tmp_path / part / "labels" / "a.txt", "0 0.5 0.5 0.2 0.2")
    text(tmp_path / "train.txt", "./train/images/a.png\n")
    path = text(tmp_path / "data.yaml", f"{names}train: {train}\nval: valid/images\n")
    for source in (path, tmp_path):
        found = read_yolo(source)
        assert set(found) == {"train", "eval"} and found["eval"].class_names == ("cat",)
        assert found["train"].files == (tmp_path / "train/images/a.png",)
        assert found["train"].labels[0, 0].tolist() == pytest.approx([0, 0.4, 0.4, 0.6, 0.6])


def test_settings_with_one_part_are_not_divided(folder: Path) -> None:
    path = text(folder / "data.yaml", f"{NAMES}path: .\ntrain: images\n")
    assert len(read_yolo(path)["all"].files) == 2


def test_a_polygon_gives_the_box_around_it(folder: Path) -> None:
    text(folder / "labels" / "a.txt", "1 0.5 0.1 0.9 0.6 0.2 0.7 0.3 0.4\n0 0.5 0.5 0.2 0.2\n")
    labels = read_yolo(folder)["all"].labels[0]
    assert labels.tolist() == [pytest.approx([1, 0.2, 0.1, 0.9, 0.7]), pytest.approx([0, 0.4, 0.4, 0.6, 0.6])]


def test_key_points_after_a_box_are_left_out(folder: Path) -> None:
    text(folder / "labels" / "a.txt", "1 0.5 0.5 0.2 0.2 0.1 0.1 0.9 0.9\n")
    path = text(folder / "data.yaml", f"{NAMES}train: images\nkpt_shape: [2, 2]\n")
    assert read_yolo(path)["all"].labels[0, 0].tolist() == pytest.approx([1, 0.4, 0.4, 0.6, 0.6])
    text(folder / "labels" / "a.txt", "1 0.5 0.5 0.2 0.2\n")
    with pytest.raises(DataError, match=r"line 1 has 5 values, expected 9: .* and 4 of key points"):
        read_yolo(path)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("0 0.5 0.5 0.2", r"a\.txt: line 2 has 4 values, expected 5: class x_center y_center width height"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.3", "line 2 has 8 values, expected 5"),
        ("0 0.1 0.1 0.2 nan 0.2 0.2", "line 2: a corner of the box is not a finite number"),
        ("0 0.1 0.1 0.2 0.1 0.2 1.2", "line 2: the box reaches outside of the image"),
        ("cat 0.5 0.5 0.2 0.2", "line 2 is 'cat 0.5 0.5 0.2 0.2', expected 5 numbers"),
        ("2 0.5 0.5 0.2 0.2", "line 2: class 2 is unknown"),
        ("-1 0.5 0.5 0.2 0.2", "line 2: class -1 is unknown"),
        ("0.5 0.5 0.5 0.2 0.2", "line 2: class 0.5 is unknown"),
        ("inf 0.5 0.5 0.2 0.2", "line 2: class inf is unknown"),
        ("0 0.5 0.5 1.2 0.2", "line 2: the box reaches outside of the image"),
        ("0 120 80 30 20", "line 2: the box reaches outside of the image"),
        ("0 nan 0.5 0.2 0.2", "line 2: a corner of the box is not a finite number"),
    ],
)
def test_a_malformed_line_is_named(folder: Path, line: str, match: str) -> None:
    text(folder / "classes.txt", "cat\ndog")
    text(folder / "labels" / "a.txt", f"0 0.5 0.5 0.2 0.2\n{line}\n")
    with pytest.raises(DataError, match=match) as caught:
        read_yolo(folder)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (f"{NAMES}train: gone", "there is no folder .*gone"),
        (f"{NAMES}train: labels", "there are no images in labels"),
        (NAMES, "has neither train nor val"),
        ("train: images", "missing required field `names`"),
        ("names: [cat]\nnc: 2\ntrain: images", "nc is 2, and names has 1"),
        ("names: {1: cat}\ntrain: images", "names has the numbers 1"),
        ("names: [cat]\ntrain: 5", "Expected `str | array | null`, got `int` in train"),
        ("names: [cat\ntrain: images", "line 2 is not YAML"),
        ("names: !!python/object:os.system x", "line 1 is not YAML"),
        (f"{NAMES}train: list.txt", r"list\.txt: line 1: there is no image .*gone\.png"),
    ],
)
def test_malformed_settings_are_named(folder: Path, content: str, match: str) -> None:
    text(folder / "list.txt", "images/gone.png")
    with pytest.raises(DataError, match=match) as caught:
        read_yolo(text(folder / "data.yaml", content))
    assert caught.value.hint


def test_images_without_any_label_file(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match=r"no image has a label file, such as .*labels/a\.txt"):
        read_yolo(tmp_path)


def test_a_label_file_without_an_image(folder: Path) -> None:
    text(folder / "labels" / "c.txt", "0 0.5 0.5 0.2 0.2")
    with pytest.raises(DataError, match=r"c\.txt: there is no image of the name c"):
        read_yolo(folder)
    with pytest.raises(DataError, match=r"c\.txt: there is no image of the name c"):
        read_yolo(text(folder / "data.yaml", f"{NAMES}train: images\n"))


def test_only_empty_label_files(folder: Path) -> None:
    text(folder / "labels" / "a.txt", "\n")
    with pytest.raises(DataError, match="contains no boxes"):
        read_yolo(folder)


def test_a_broken_image_is_named(folder: Path) -> None:
    (folder / "images" / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b\.png: not a readable image"):
        read_yolo(folder)

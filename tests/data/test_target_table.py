from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.pictures import picture, text
from tflite_compress.data.target_table import names_images, read_target_table
from tflite_compress.support.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "b.png")
    return tmp_path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("head", ["", "file,x,y\n"])
def test_columns_are_targets(folder: Path, head: str, delimiter: str) -> None:
    content = f"{head}a.png,0.5,1\n\nb.png,-2,3e1\n".replace(",", delimiter)
    path = text(folder / "t.csv", content)
    found = read_target_table(path)
    assert names_images(path) and [file.name for file in found.files] == ["a.png", "b.png"]
    assert found.labels.dtype == "float32" and found.labels.tolist() == [[0.5, 1], [-2, 30]]


def test_one_column_of_names_or_whole_numbers_has_classes(folder: Path) -> None:
    found = read_target_table(text(folder / "t.csv", "a.png,dog\nb.png,cat\n"))
    assert found.labels.tolist() == [1, 0] and found.class_names == ("cat", "dog")
    assert found.notes[0].text == "labels are numbered 0 cat, 1 dog"
    found = read_target_table(text(folder / "t.csv", "a.png,2\nb.png,0\n"))
    assert found.labels.dtype == "int64" and found.labels.tolist() == [2, 0]
    found = read_target_table(text(folder / "t.csv", "a.png,2.5\nb.png,0\n"))
    assert found.labels.tolist() == [[2.5], [0]]


def test_tables_without_images_are_told_apart(tmp_path: Path) -> None:
    assert not names_images(text(tmp_path / "t.csv", "x,y\n1,2\n"))
    assert not names_images(text(tmp_path / "t.csv", ""))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("file,x\n", "has no lines with an image"),
        ("a.png\n", "line 1 has no target"),
        ("a.png,1,2\nb.png,1\n", "line 2 has 2 columns, expected 3"),
        ("a.png,1,2\n\nb.png,1,two\n", "line 3, column 3: 'two' is not a finite number"),
        ("a.png,1\nb.png,nan\n", "line 2, column 2: 'nan' is not a finite number"),
        ("file,x\na.png,1\nc.png,1\n", r"line 3: there is no image 'c\.png'"),
    ],
)
def test_a_malformed_line_is_named(folder: Path, content: str, match: str) -> None:
    with pytest.raises(DataError, match=rf"t\.csv: {match}") as caught:
        read_target_table(text(folder / "t.csv", content))
    assert caught.value.hint

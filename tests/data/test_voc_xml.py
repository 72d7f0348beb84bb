from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.pictures import picture, text
from tflite_compress.data.voc_xml import read_voc
from tflite_compress.support.errors import DataError

BOX = "<bndbox><xmin>0</xmin><ymin>5</ymin><xmax>10</xmax><ymax>10</ymax></bndbox>"
OBJECT = f"<object><name>dog</name>\n{BOX}</object>"
SIZE = "<size><width>20</width><height>10</height></size>"


def xml(path: Path, inner: str = OBJECT, image: str = "a.png", size: str = SIZE) -> Path:
    return text(path, f"<annotation>\n<filename>{image}</filename>\n{size}\n{inner}\n</annotation>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        picture(tmp_path / "JPEGImages" / f"{name}.png")
    xml(tmp_path / "Annotations" / "a.xml")
    second = OBJECT.replace("dog", "cat") + OBJECT
    xml(tmp_path / "Annotations" / "b.xml", second, image="other.jpg")
    return tmp_path


def test_boxes_are_shares_of_the_image_and_classes_are_sorted(folder: Path) -> None:
    found = read_voc(folder)["all"]
    assert [file.name for file in found.files] == ["a.png", "b.png"]
    assert found.class_names == ("cat", "dog") and found.labels.dtype == "float32"
    assert found.labels.tolist() == [
        [[1, 0, 0.5, 0.5, 1], [-1, 0, 0, 0, 0]],
        [[0, 0, 0.5, 0.5, 1], [1, 0, 0.5, 0.5, 1]],
    ]
    assert found.notes[0].text == "labels are numbered 0 cat, 1 dog"


def test_files_beside_the_images_and_sizes_that_are_unknown(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    xml(tmp_path / "a.xml", size="<size><width>0</width><height>0</height></size>")
    assert read_voc(tmp_path)["all"].labels[0, 0].tolist() == [0, 0, 0.5, 0.5, 1]


def test_a_text_file_orders_the_classes(folder: Path) -> None:
    text(folder / "classes.txt", "person\ndog\ncat\n")
    found = read_voc(folder)["all"]
    assert found.class_names == ("person", "dog", "cat") and found.labels[:, 0, 0].tolist() == [1, 2]


def test_image_sets_divide_the_images(folder: Path) -> None:
    text(folder / "ImageSets/Main/train.txt", "b\n")
    text(folder / "ImageSets/Main/val.txt", "a  1\n")
    found = read_voc(folder)
    assert {part: x.files[0].stem for part, x in found.items()} == {"train": "b", "eval": "a"}
    assert found["eval"].class_names == ("cat", "dog") and found["eval"].labels.shape == (1, 1, 5)


@pytest.mark.parametrize(
    ("inner", "match"),
    [
        ("<object>", "line 5 is not XML"),
        (f"<object>{BOX}</object>", "line 4: <object> has no <name>"),
        ("<object><name>dog</name></object>", "line 4: <object> has no <bndbox>"),
        (OBJECT.replace("<xmax>10</xmax>", ""), "line 5: <bndbox> has no <xmax>"),
        (OBJECT.replace("<xmax>10<", "<xmax>ten<"), "line 5: <xmax> is 'ten', expected a number"),
        (OBJECT.replace("<xmax>10<", "<xmax>inf<"), "line 5: <xmax> is 'inf', expected a number"),
        (OBJECT.replace("<xmax>10<", "<xmax>30<"), "line 5: the box reaches outside of the image"),
        (OBJECT.replace("<xmin>0<", "<xmin>12<"), "line 5: width or height of the box is negative"),
    ],
)
def test_a_malformed_line_is_named(folder: Path, inner: str, match: str) -> None:
    xml(folder / "Annotations" / "a.xml", inner)
    with pytest.raises(DataError, match=rf"a\.xml: {match}") as caught:
        read_voc(folder)
    assert caught.value.hint


def test_an_image_of_another_size(folder: Path) -> None:
    picture(folder / "JPEGImages" / "a.png", (30, 10))
    with pytest.raises(DataError, match=r"a\.xml: line 3: the size is 20x10, .* has 30x10 pixels"):
        read_voc(folder)


def test_a_missing_image(folder: Path) -> None:
    (folder / "JPEGImages" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.xml: line 2: there is no image a\.png"):
        read_voc(folder)


def test_a_class_that_is_not_listed(folder: Path) -> None:
    text(folder / "classes.txt", "dog")
    with pytest.raises(DataError, match=r"b\.xml: line 5: class 'cat' is not in .*classes\.txt"):
        read_voc(folder)


def test_a_set_that_names_an_image_without_annotations(folder: Path) -> None:
    text(folder / "ImageSets/Main/train.txt", "b\nc\n")
    text(folder / "ImageSets/Main/test.txt", "a")
    with pytest.raises(DataError, match=r"train\.txt: line 2 names c, which has no XML file"):
        read_voc(folder)


def test_files_without_objects(folder: Path) -> None:
    for name in ("a", "b"):
        xml(folder / "Annotations" / f"{name}.xml", "")
    with pytest.raises(DataError, match="contains no boxes"):
        read_voc(folder)


def test_other_xml_and_document_types_are_refused(folder: Path) -> None:
    text(folder / "Annotations" / "a.xml", "\n<html></html>")
    with pytest.raises(DataError, match="line 2 begins <html>, expected <annotation>"):
        read_voc(folder)
    bomb = '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "aaaa">]>\n<annotation>&a;</annotation>'
    text(folder / "Annotations" / "a.xml", bomb)
    with pytest.raises(DataError, match="line 2 declares a document type"):
        read_voc(folder)

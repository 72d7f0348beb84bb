from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import mask, picture, text
from tflite_compress.data.mask_folder import check_masks, find_masks, read_masks
from tflite_compress.support.errors import DataError

CLASSES = [[0, 1, 2, 0], [2, 2, 1, 0]]
SIZE = (4, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        picture(tmp_path / "images" / f"{name}.jpg", SIZE)
        mask(tmp_path / "masks" / f"{name}.png", CLASSES)
    return tmp_path


def test_pixels_are_class_numbers(folder: Path) -> None:
    found = find_masks(folder)["all"]
    labels, notes = read_masks(found, None, 3)
    assert [file.name for file in found.files] == ["a.jpg", "b.jpg"]
    assert labels.dtype == "int64" and labels.tolist() == [CLASSES, CLASSES] and notes == ()


def test_masks_of_0_and_255_are_yes_and_no(folder: Path) -> None:
    for name in ("a", "b"):
        mask(folder / "masks" / f"{name}.png", np.array(CLASSES) // 2 * 255)
    labels, notes = read_masks(find_masks(folder)["all"], None, 1)
    assert labels[0].tolist() == [[0, 0, 1, 0], [1, 1, 0, 0]] and notes == ()


def test_255_beside_class_numbers_is_ignored(folder: Path) -> None:
    mask(folder / "masks" / "a.png", [[255, 1, 2, 0], [2, 2, 1, 0]])
    labels, notes = read_masks(find_masks(folder)["all"], None, 3)
    assert labels[0, 0].tolist() == [-1, 1, 2, 0]
    assert notes[0].text == "mask pixels of value 255 are not scored"


def test_palettes_and_grey_colours_are_numbers(folder: Path) -> None:
    palette = Image.fromarray(np.array(CLASSES, np.uint8), mode=None).convert("P")
    palette.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    palette.putdata(np.array(CLASSES).ravel().tolist())
    palette.save(folder / "masks" / "a.png")
    Image.fromarray(np.repeat(np.array(CLASSES, np.uint8)[..., np.newaxis], 4, -1)).save(
        folder / "masks" / "b.png"
    )
    assert read_masks(find_masks(folder)["all"], None, 3)[0].tolist() == [CLASSES, CLASSES]


def test_resizing_does_not_mix_classes(folder: Path) -> None:
    labels, _ = read_masks(find_masks(folder)["all"], (4, 8), 3)
    assert labels[0].tolist() == np.repeat(np.repeat(CLASSES, 2, 0), 2, 1).tolist()


@pytest.mark.parametrize("name", ["x_mask.png", "x-mask.png", "x_seg.png"])
def test_masks_beside_the_images(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "x.jpg", SIZE)
    mask(tmp_path / name, CLASSES)
    found = find_masks(tmp_path)["all"]
    assert [p.name for p in found.files] == ["x.jpg"] and [p.name for p in found.masks] == [name]


def test_subfolders_divide_the_images_and_names_are_read(folder: Path) -> None:
    for part in ("train", "test"):
        picture(folder / "images" / part / "c.png", SIZE)
        mask(folder / "masks" / part / "c_mask.png", CLASSES)
    for name in ("a", "b"):
        (folder / "images" / f"{name}.jpg").unlink()
        (folder / "masks" / f"{name}.png").unlink()
    text(folder / "classes.txt", "sky\nroad\ncar\n")
    found = find_masks(folder)
    assert {part: x.files[0].parent.name for part, x in found.items()} == {"train": "train", "eval": "test"}
    assert found["train"].class_names == ("sky", "road", "car")


def test_a_missing_partner_is_named(folder: Path) -> None:
    (folder / "masks" / "b.png").unlink()
    with pytest.raises(DataError, match=r"b\.jpg: has no mask"):
        find_masks(folder)
    mask(folder / "masks" / "b.png", CLASSES)
    mask(folder / "masks" / "c.png", CLASSES)
    with pytest.raises(DataError, match=r"c\.png: there is no image c in .*images"):
        find_masks(folder)


def test_lossy_masks_are_refused(folder: Path) -> None:
    (folder / "masks" / "b.png").rename(folder / "masks" / "b.jpg")
    with pytest.raises(DataError, match=r"b\.jpg: \.jpg changes pixel values"):
        find_masks(folder)


@pytest.mark.parametrize(
    ("pixels", "match"),
    [
        ([[[1, 2, 3]] * 4] * 2, r"has colours, first \(1, 2, 3\) at x=0, y=0; expected class numbers"),
        ([[0, 1, 2, 3], [0, 0, 0, 0]], "class 3 at x=3, y=0; the classes are 0 to 2"),
        ([[0, 1, 2]], "is 3x1 pixels, its image 4x2"),
    ],
)
def test_a_malformed_mask_is_named(folder: Path, pixels: object, match: str) -> None:
    mask(folder / "masks" / "b.png", pixels)
    masked = find_masks(folder)["all"]
    with pytest.raises(DataError, match=rf"b\.png: {match}") as caught:
        read_masks(masked, None, 3)
    assert caught.value.hint
    if "class 3" not in match:  # the model's classes are not known before it is loaded
        with pytest.raises(DataError, match=rf"b\.png: {match}"):
            check_masks(masked)


def test_masks_of_different_sizes(folder: Path) -> None:
    picture(folder / "images" / "b.jpg", (2, 2))
    mask(folder / "masks" / "b.png", [[0, 1], [1, 0]])
    with pytest.raises(DataError, match=r"b\.png: is 2x2 pixels, the first is 4x2"):
        read_masks(find_masks(folder)["all"], None, 3)


def test_a_broken_mask(folder: Path) -> None:
    (folder / "masks" / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b\.png: not a readable image"):
        read_masks(find_masks(folder)["all"], None, 3)

"""Photos are read as they are shown: turned as their EXIF orientation says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import mask
from tests.data.test_coco_json import coco
from tflite_compress.data.coco_json import read_coco_file
from tflite_compress.data.images import ORIENTATION, read_images
from tflite_compress.data.labelled_images import image_size
from tflite_compress.data.mask_folder import find_masks, read_masks
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError

UPRIGHT = np.arange(200, dtype=np.uint8).reshape(20, 10)  # 10 pixels wide, 20 high
TURNS = {1: UPRIGHT, 3: UPRIGHT[::-1, ::-1], 6: np.rot90(UPRIGHT), 8: np.rot90(UPRIGHT, -1)}


def photo(path: Path, orientation: int) -> Path:
    """Write pixels as a camera stores them that was held in an orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(np.ascontiguousarray(TURNS[orientation])).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", TURNS)
def test_pixels_and_size_are_those_that_are_shown(tmp_path: Path, orientation: int) -> None:
    path = photo(tmp_path / "a.png", orientation)
    spec = TensorSpec("image", (None, 20, 10, 1), "float32")
    assert np.array_equal(read_images([path], spec, resize=False)[0, ..., 0], UPRIGHT)
    assert image_size(path, "here") == (10, 20)


def test_annotations_belong_to_the_image_that_is_shown(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 6)
    box = [{"image_id": 7, "category_id": 3, "bbox": [0, 10, 10, 10]}]
    shown = [{"id": 7, "file_name": "a.png", "width": 10, "height": 20}]
    found = read_coco_file(coco(tmp_path / "c.json", images=shown, annotations=box))
    assert found.labels[0, 0].tolist() == [0, 0, 0.5, 1, 1]
    stored = [{"id": 7, "file_name": "a.png", "width": 20, "height": 10}]
    with pytest.raises(DataError, match=r"images\[0\]: the size is 20x10, .* 10x20 as shown"):
        read_coco_file(coco(tmp_path / "c.json", images=stored, annotations=box))


def test_masks_belong_to_the_image_that_is_shown(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.png", 6)
    numbers = np.arange(200).reshape(20, 10) % 3
    mask(tmp_path / "masks" / "a.png", numbers)
    assert np.array_equal(read_masks(find_masks(tmp_path)["all"], None, 3)[0][0], numbers)

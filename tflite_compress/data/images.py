"""Read image files into one array."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.data.spool import Rows
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from PIL import Image

UNSCALED_PIXELS = Note(
    "unscaled-pixels",
    "pixels have values 0 to 255; use preprocess for a model that was trained on another scale",
)
ORIENTATION = 0x0112  # the EXIF tag that says how a camera was held
TURNED = (5, 6, 7, 8)  # its values for a quarter turn
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def upright(image: Image.Image) -> Image.Image:
    """Return an image as programs show it: turned and mirrored as its EXIF orientation says."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an image as programs show it, from its header."""
    width, height = image.size
    return (height, width) if image.getexif().get(ORIENTATION) in TURNED else (width, height)


def read_images(files: list[Path], spec: TensorSpec, resize: bool) -> np.ndarray:
    """Read images for a model's input, turned as their EXIF orientation says.

    Args:
        files: Image files.
        spec: The model's input, shape (batch, height, width, channels).
        resize: Resize to the input's height and width (bilinear). Otherwise other sizes are an error.

    Returns:
        Array of shape (files, height, width, channels), float32, values 0 to 255.

    Raises:
        DataError: An image cannot be read or has another size.
    """
    from PIL import Image, UnidentifiedImageError

    if len(spec.shape) not in (3, 4):
        raise DataError(
            f"{files[0].parent}: images do not fit input '{spec.name}' of shape {spec.shape}",
            "Give an .npz or module:function instead.",
        )
    height, width = spec.shape[1:3]
    mode = _MODES.get(spec.shape[3] or 3 if len(spec.shape) == 4 else 1, "RGB")
    gathered = Rows()
    first: tuple[int, ...] = ()
    for file in files:
        try:
            with Image.open(file) as opened:
                image = upright(opened).convert(mode)
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            raise DataError(f"{file}: not a readable image ({error})", "Remove or replace it.") from error
        if resize and height and width:
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        array = np.asarray(image, dtype=np.float32)
        wanted = first or (height or len(array), width or array.shape[1])
        if array.shape[:2] != tuple(wanted):
            raise DataError(
                f"{file}: is {array.shape[1]}x{array.shape[0]} pixels, expected {wanted[1]}x{wanted[0]}",
                "Pass --resize (in Python resize=True), or resize the images first.",
            )
        first = array.shape[:2]
        gathered.append(array[..., np.newaxis] if array.ndim == 2 and len(spec.shape) == 4 else array)
    return gathered.finish()

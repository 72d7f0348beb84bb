"""Folders of images with a mask of class numbers for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.data.images import upright, upright_size
from tflite_compress.data.labelled_images import by_part, images_below, is_image, read_names
from tflite_compress.data.samples import IGNORED
from tflite_compress.data.spool import Rows, map_blocks
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from PIL import Image

IMAGE_FOLDERS = ("images", "image", "imgs", "jpegimages")
MASK_FOLDERS = ("masks", "mask", "labels", "annotations", "segmentationclass")
MASK_ENDINGS = ("_mask", "-mask", "_label", "_seg", "_labels", "_gt")
LOSSLESS = frozenset({".png", ".bmp", ".tif", ".tiff", ".gif"})
ONE_CHANNEL = frozenset({"1", "L", "P", "I", "I;16"})  # modes of Pillow
WHITE = 255  # yes in a mask of yes and no; else a pixel that is ignored


@dataclass(frozen=True)
class MaskedImages:
    """Images and their masks, not read yet.

    Attributes:
        files: The image files.
        masks: The mask of each.
        class_names: Names of the classes; empty if the source has none.
    """

    files: tuple[Path, ...]
    masks: tuple[Path, ...]
    class_names: tuple[str, ...] = ()


def mask_folders(folder: Path) -> tuple[Path, Path] | None:
    """Return the folders of images and masks in a folder; None if it has none."""
    inside = {p.name.lower(): p for p in folder.iterdir() if p.is_dir()}
    images = next((inside[name] for name in IMAGE_FOLDERS if name in inside), None)
    masks = next((inside[name] for name in MASK_FOLDERS if name in inside), None)
    if images is None or masks is None or not any(p.suffix.lower() in LOSSLESS for p in masks.rglob("*")):
        return None
    return images, masks


def has_masks_beside(folder: Path) -> bool:
    """Return whether masks such as ``x_mask.png`` are next to the images of a folder."""
    return any(_is_mask(p) for p in folder.iterdir())


def find_masks(folder: Path) -> dict[str, MaskedImages]:
    """Find the images of a folder and their masks.

    Args:
        folder: ``images/`` and ``masks/`` with files of the same names, or masks such as ``x_mask.png``
            beside the images. ``classes.txt`` may name the classes.

    Returns:
        ``{"train": ..., "eval": ...}`` if there are such subfolders, else ``{"all": ...}``.

    Raises:
        DataError: An image has no mask, or a mask no image.
    """
    names = read_names(folder / "classes.txt")
    found = mask_folders(folder)
    if found is None:
        files = [p for p in images_below(folder) if not _is_mask(p)]
        masks = {_key(p, folder): p for p in images_below(folder) if _is_mask(p)}
        base = folder
    else:
        base, other = found
        files = images_below(base)
        masks = {_key(p, other): p for p in images_below(other)}
    keys = {_key(file, base) for file in files}
    for key, mask in masks.items():
        if key not in keys:
            raise DataError(
                f"{mask}: there is no image {key} in {base}", "Add the image, or remove the mask."
            )
    return {part: _paired(base, some, masks, names) for part, some in by_part(base, files).items()}


def _paired(
    base: Path, files: Iterable[Path], masks: dict[str, Path], names: tuple[str, ...]
) -> MaskedImages:
    files = tuple(files)
    for file in files:
        if _key(file, base) not in masks:
            raise DataError(f"{file}: has no mask", "Add a mask of the same name, or remove the image.")
        mask = masks[_key(file, base)]
        if mask.suffix.lower() not in LOSSLESS:
            raise DataError(f"{mask}: {mask.suffix} changes pixel values", "Save masks as PNG.")
    return MaskedImages(files, tuple(masks[_key(file, base)] for file in files), names)


def _is_mask(path: Path) -> bool:
    return is_image(path) and path.stem.lower().endswith(MASK_ENDINGS)


def _key(path: Path, base: Path) -> str:
    """Return what an image and its mask have in common: the path in the folder without endings."""
    stem = path.stem
    ending = next((e for e in MASK_ENDINGS if stem.lower().endswith(e)), "")
    return str(path.relative_to(base).with_name(stem.removesuffix(stem[len(stem) - len(ending) :])))


def read_masks(
    masked: MaskedImages, size: tuple[int, int] | None, classes: int | None
) -> tuple[np.ndarray, tuple[Note, ...]]:
    """Read masks as class numbers.

    Args:
        masked: Images and masks.
        size: Height and width to resize to, without mixing pixels; None for the masks' own.
        classes: Number of the model's classes; None if unknown.

    Returns:
        Shape (masks, height, width), int64, and notes. Masks of 0 and 255 become 0 and 1. In others 255
        becomes -1, which is not scored.

    Raises:
        DataError: A mask has colours, another size, or an unknown class.
    """
    gathered = Rows()
    values: set[int] = set()
    first: tuple[int, ...] = ()
    for image, mask in zip(masked.files, masked.masks, strict=True):
        array = _mask(mask, image, size)
        first = first or array.shape
        if array.shape != first:
            raise DataError(
                f"{mask}: is {array.shape[1]}x{array.shape[0]} pixels, the first is {first[1]}x{first[0]}",
                "Pass --resize (in Python resize=True), or resize images and masks first.",
            )
        values |= set(np.unique(array).tolist())
        gathered.append(array)
    is_yes_no = values <= {0, WHITE}
    limit = classes if classes is not None and classes > 1 else len(masked.class_names) or None
    if not is_yes_no:
        _require_classes(masked, values - {WHITE}, 2 if classes == 1 else limit, size)
    found = gathered.finish()
    return _numbered(found, is_yes_no), _notes(values, is_yes_no)


def check_masks(masked: MaskedImages) -> None:
    """Check the size of each mask by its header, and the pixels of masks that may have colours.

    Raises:
        DataError: A mask has colours, or another size than its image.
    """
    for image, mask in zip(masked.files, masked.masks, strict=True):
        with _opened(mask, image) as opened:
            if opened.mode not in ONE_CHANNEL:
                _class_numbers(np.asarray(opened), mask)


@contextmanager
def _opened(mask: Path, image: Path) -> Iterator[Image.Image]:
    """Open a mask that has the size of its image.

    Raises:
        DataError: It cannot be read, or has another size.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(mask) as opened, Image.open(image) as other:
            sizes = upright_size(opened), upright_size(other)
            if sizes[0] != sizes[1]:
                raise DataError(
                    f"{mask}: is {sizes[0][0]}x{sizes[0][1]} pixels, its image {sizes[1][0]}x{sizes[1][1]}",
                    "Give the mask the size of its image as it is shown.",
                )
            yield opened
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DataError(f"{mask}: not a readable image ({error})", "Remove or replace it.") from error


def _mask(mask: Path, image: Path, size: tuple[int, int] | None) -> np.ndarray:
    """Read one mask, shape (height, width), int32."""
    from PIL import Image

    with _opened(mask, image) as opened:
        plain = _class_numbers(np.asarray(upright(opened)), mask)
    if size is None or plain.shape == size:
        return plain
    resized = Image.fromarray(plain).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(resized, np.int32)


def _class_numbers(pixels: np.ndarray, path: Path) -> np.ndarray:
    """Return the only channel of a mask. Palettes are read as numbers.

    Raises:
        DataError: The mask has colours.
    """
    if pixels.dtype.kind == "f":
        raise DataError(f"{path}: has decimal numbers as pixels", "Save class numbers as an 8-bit PNG.")
    if pixels.ndim == 2:
        return pixels.astype(np.int32)
    colours = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
    different = np.argwhere((colours != colours[..., :1]).any(axis=-1))
    if len(different):
        y, x = different[0]
        shown = ", ".join(map(str, colours[y, x]))
        raise DataError(
            f"{path}: has colours, first ({shown}) at x={x}, y={y}; expected class numbers",
            "Save it as a grey or palette PNG whose pixel values are class numbers.",
        )
    return np.asarray(colours[..., 0], np.int32)


def _require_classes(
    masked: MaskedImages, values: set[int], limit: int | None, size: tuple[int, int] | None
) -> None:
    """Refuse pixels that are no class, and name the first mask with one."""
    if limit is None or max(values, default=0) < limit:
        return
    for image, mask in zip(masked.files, masked.masks, strict=True):
        array = _mask(mask, image, size)
        wrong = np.argwhere((array >= limit) & (array != WHITE))
        if len(wrong):
            y, x = wrong[0]
            raise DataError(
                f"{mask}: class {array[y, x]} at x={x}, y={y}; the classes are 0 to {limit - 1}",
                "Number the classes from 0 in the order of the model's outputs; 255 is ignored.",
            )


def _numbered(found: np.ndarray, is_yes_no: bool) -> np.ndarray:
    number = 1 if is_yes_no else IGNORED
    return map_blocks(found, lambda rows: np.where(rows == WHITE, number, rows), np.int64)


def _notes(values: set[int], is_yes_no: bool) -> tuple[Note, ...]:
    if WHITE not in values or is_yes_no:
        return ()
    return (Note("ignored-pixels", "mask pixels of value 255 are not scored"),)

"""Image files with a label for each: what the readers of annotation formats return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.data.files.image_folder import IMAGE_SUFFIXES
from tflite_compress.data.image_parts import part_names
from tflite_compress.data.images import UNSCALED_PIXELS, read_images, upright_size
from tflite_compress.data.samples import RawData
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.data.sources import ReadOptions


@dataclass(frozen=True)
class LabelledImages:
    """Images that are not read yet, with their labels.

    Attributes:
        files: The image files.
        labels: Shape (files, ...).
        class_names: Names of the classes; empty if the source has none.
        notes: Facts about reading the labels.
    """

    files: tuple[Path, ...]
    labels: np.ndarray
    class_names: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


def read_labelled(
    found: Mapping[str, LabelledImages], options: ReadOptions, origin: str
) -> dict[str, RawData]:
    """Read the images of each part in the size and channels of the model's input.

    Args:
        found: Images and labels of each part.
        options: How to read.
        origin: The source, for messages.

    Raises:
        DataError: An image cannot be read or has another size.
    """
    unscaled = () if options.preprocess != "none" else (UNSCALED_PIXELS,)
    return {
        part: RawData(
            read_images(list(one.files), options.input, options.resize),
            one.labels,
            origin if part == "all" else f"{origin}:{part}",
            one.class_names,
            (*one.notes, *unscaled),
        )
        for part, one in found.items()
    }


def is_image(path: Path) -> bool:
    """Return whether a file's name is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def images_below(folder: Path) -> list[Path]:
    """Return the image files of a folder and its subfolders, sorted; hidden files are left out."""
    found = (p for p in folder.rglob("*") if is_image(p) and not p.name.startswith("."))
    return sorted(p for p in found if p.is_file())


def image_size(path: Path, place: str) -> tuple[int, int]:
    """Return width and height of an image as programs show it, from its header.

    Args:
        path: The image.
        place: Where the image is named, for messages.

    Raises:
        DataError: The file is missing or not an image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return upright_size(image)
    except FileNotFoundError as error:
        raise missing_image(path, place) from error
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({error})", "Remove or replace it.") from error


def missing_image(path: Path | str, place: str) -> DataError:
    """Return the error on a missing image."""
    return DataError(f"{place}: there is no image {path}", "Add the image, or remove its annotations.")


def checked_size(path: Path, size: tuple[int | None, int | None], place: str) -> tuple[int, int]:
    """Return width and height of an image, and compare them with those in its annotations.

    Args:
        path: The image.
        size: Width and height in the annotations; None where they have none.
        place: File and element of the annotations, for messages.

    Raises:
        DataError: The image is missing, cannot be read, or has another size.
    """
    width, height = image_size(path, place)
    wanted = size[0] or width, size[1] or height
    if wanted == (height, width) != (width, height):
        raise DataError(
            f"{place}: the size is {wanted[0]}x{wanted[1]}, {path} is {width}x{height} as shown",
            "Annotate the images as they are shown, or turn the pixels of those with an EXIF orientation.",
        )
    if wanted != (width, height):
        raise DataError(
            f"{place}: the size is {wanted[0]}x{wanted[1]}, {path} has {width}x{height} pixels",
            "Correct the annotations, or use the images that were annotated.",
        )
    return width, height


def read_text(path: Path) -> str:
    """Read a UTF-8 file of annotations.

    Raises:
        DataError: It is missing, or its bytes are not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8 text", "Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names of a file with one class per line; none if there is no such file."""
    if not path.is_file():
        return ()
    return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())


def by_part(base: Path, files: Iterable[Path]) -> dict[str, list[Path]]:
    """Divide files by subfolders such as ``train`` and ``val``.

    Args:
        base: Folder of the files.
        files: Files below it.

    Returns:
        ``train`` and ``eval`` if all files lie in such subfolders and both parts have files, else ``all``.
        With ``val`` and ``test``, the files of ``test`` are left out.
    """
    files = list(files)
    folders = [file.relative_to(base).parts[0] for file in files if file.parent != base]
    parts = part_names(set(folders)) if len(folders) == len(files) else None
    if parts is None:
        return {"all": files}
    return {
        part: [file for file, folder in zip(files, folders, strict=True) if folder == name]
        for part, name in parts.items()
    }

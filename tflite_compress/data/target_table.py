"""A CSV file with the name of an image and its target values in each line."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from tflite_compress.data.annotated_boxes import class_note
from tflite_compress.data.class_numbers import is_number
from tflite_compress.data.labelled_images import LabelledImages, image_size, is_image, read_text
from tflite_compress.support.errors import DataError


def names_images(path: Path) -> bool:
    """Return whether a CSV file names an image first in one of its first two lines."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            head = "".join(islice((line for line in stream if line.strip()), 2))
    except (UnicodeDecodeError, OSError):
        return False
    return any(is_image(Path(cells[0])) for _, cells in _rows(head, path))


def read_target_table(path: Path) -> LabelledImages:
    """Read a CSV file of images and targets.

    Args:
        path: Columns: the name of the image, then numbers, or one column of class names. The first line may
            name the columns. Images are next to the file or in a folder ``images`` beside it.

    Returns:
        The images in the order of the file. Labels have shape (images, columns), float32; one column of names
        or whole numbers becomes class numbers (images,).

    Raises:
        DataError: A line is malformed, or an image is missing.
    """
    rows = _rows(read_text(path), path)
    if rows and not is_image(Path(rows[0][1][0])):
        rows = rows[1:]
    if not rows:
        raise DataError(
            f"{path}: has no lines with an image", "Give the name of an image first in each line."
        )
    width = len(rows[0][1])
    if width < 2:
        raise DataError(f"{path}: line {rows[0][0]} has no target", "Give the image first, then its targets.")
    for number, cells in rows:
        if len(cells) != width:
            raise DataError(
                f"{path}: line {number} has {len(cells)} columns, expected {width}",
                "Give every image the same number of targets.",
            )
    files = tuple(_image(path, cells[0].strip(), number) for number, cells in rows)
    if width == 2 and not is_number(rows[0][1][1]):
        words = [cells[1].strip() for _, cells in rows]
        names = tuple(sorted(set(words)))
        known = {name: number for number, name in enumerate(names)}
        numbers = np.array([known[word] for word in words], np.int64)
        return LabelledImages(files, numbers, names, class_note(names))
    values = np.array([_values(path, number, cells[1:]) for number, cells in rows], np.float32)
    if width == 2 and bool(np.all(values == np.round(values))):
        return LabelledImages(files, values[:, 0].astype(np.int64))
    return LabelledImages(files, values)


def _rows(text: str, path: Path) -> list[tuple[int, list[str]]]:
    """Return number and cells of each line that is not empty."""
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV ({error})", "Repair the line.") from error


def _image(path: Path, name: str, line: int) -> Path:
    for folder in (path.parent, path.parent / "images"):
        if (folder / name).is_file():
            image_size(folder / name, f"{path}: line {line}")
            return folder / name
    raise DataError(
        f"{path}: line {line}: there is no image '{name}' beside the file or in images/",
        "Add the image, or remove the line.",
    )


def _values(path: Path, line: int, cells: Sequence[str]) -> list[float]:
    values = []
    for column, cell in enumerate(cells, 2):
        value = float(cell) if is_number(cell) else math.nan
        if not math.isfinite(value):
            raise DataError(
                f"{path}: line {line}, column {column}: '{cell.strip()}' is not a finite number",
                "Give a number for each target.",
            )
        values.append(value)
    return values

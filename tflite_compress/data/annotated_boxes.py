"""Boxes that annotation files contain: their checks, and their form as labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tflite_compress.data.boxes import FIELDS, UNUSED
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

OVERHANG = 0.01  # of the image's side; rounding moves corners by about a pixel


class Box(NamedTuple):
    """An object in an image.

    Attributes:
        number: Number of its class.
        x_min, y_min, x_max, y_max: Corners; 0 is the left or upper edge of the image, 1 the other edge.
    """

    number: int
    x_min: float
    y_min: float
    x_max: float
    y_max: float


def checked_box(number: int, corners: Sequence[float], place: str) -> Box | None:
    """Return a box, cut at the edges of the image; None if its area is 0.

    Args:
        number: Number of its class.
        corners: x_min, y_min, x_max, y_max as shares of the image's width and height.
        place: File and line or element, for messages.

    Raises:
        DataError: The corners are not finite, are exchanged, or lie outside of the image.
    """
    x_min, y_min, x_max, y_max = corners
    shown = f"({', '.join(f'{value:.4g}' for value in corners)} of width and height)"
    if not all(map(math.isfinite, corners)):
        raise DataError(f"{place}: a corner of the box is not a finite number {shown}", "Repair the box.")
    if x_max < x_min or y_max < y_min:
        raise DataError(
            f"{place}: width or height of the box is negative {shown}",
            "Give the upper left corner first, and positive sizes.",
        )
    if min(x_min, y_min) < -OVERHANG or max(x_max, y_max) > 1 + OVERHANG:
        raise DataError(
            f"{place}: the box reaches outside of the image {shown}",
            "Check that the box belongs to this image and has the unit of the format.",
        )
    x_min, y_min, x_max, y_max = (min(max(value, 0.0), 1.0) for value in corners)
    if x_min == x_max or y_min == y_max:
        return None
    return Box(number, x_min, y_min, x_max, y_max)


def stack_boxes(images: Sequence[Sequence[Box]], origin: str) -> np.ndarray:
    """Return the boxes of all images as one array of labels.

    Args:
        images: The boxes of each image.
        origin: The source, for messages.

    Returns:
        Shape (images, largest number of boxes, 5), float32: class, x_min, y_min, x_max, y_max from 0 to 1.
        The class of unused rows is -1.

    Raises:
        DataError: There are no boxes.
    """
    longest = max(map(len, images), default=0)
    if not longest:
        raise DataError(f"{origin}: contains no boxes", "Give annotations with at least one box.")
    labels = np.zeros((len(images), longest, FIELDS), np.float32)
    labels[..., 0] = UNUSED
    for row, boxes in zip(labels, images, strict=True):
        if boxes:
            row[: len(boxes)] = boxes
    return labels


def class_note(names: Sequence[str]) -> tuple[Note, ...]:
    """Return a note that tells the number of each class; none without names."""
    if not names:
        return ()
    numbers = ", ".join(f"{number} {name}" for number, name in enumerate(names[:10]))
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (Note("class-numbers", f"labels are numbered {numbers}{more}"),)


def left_out_note(count: int, what: str) -> tuple[Note, ...]:
    """Return a note on boxes that are no labels; none if there are none of them."""
    if not count:
        return ()
    return (Note("boxes-left-out", f"{count:,} {what} left out of the labels"),)

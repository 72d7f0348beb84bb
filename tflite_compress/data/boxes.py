"""Labels of object detection: boxes in one array for all outputs of a model.

An array has the shape (samples, max_boxes, 5): class, x_min, y_min, x_max, y_max. Coordinates are shares of
the image's width and height, 0 to 1. Unused rows have the class -1.
"""

from __future__ import annotations

import numpy as np

from tflite_compress.support.errors import DataError

FIELDS = 5
UNUSED = -1
_TAKES = (
    "Give one array of shape (samples, boxes, 5): class, x_min, y_min, x_max, y_max, with coordinates from 0 "
    "to 1 and the class -1 in unused rows."
)


def checked_boxes(array: np.ndarray, origin: str) -> np.ndarray:
    """Return boxes as float32.

    Args:
        array: Shape (samples, boxes, 5).
        origin: Where they come from, for messages.

    Raises:
        DataError: They have another shape, or a row is no box.
    """
    fault = _fault(array)
    if fault is not None:
        raise DataError(f"{origin}: {fault}", _TAKES)
    return np.ascontiguousarray(array, dtype=np.float32)


def _fault(array: np.ndarray) -> str | None:
    """Return what is wrong with boxes; None if nothing is."""
    if array.ndim != 3 or array.shape[-1] != FIELDS:
        return f"boxes have shape {array.shape}, expected (samples, boxes, {FIELDS})"
    if array.dtype.kind not in "fiu":
        return f"boxes have dtype {array.dtype}, not numbers"
    classes, corners = array[..., 0], array[..., 1:]
    used = classes != UNUSED
    faults = {
        "a class that is no whole number from 0": (classes < 0) | (classes != np.round(classes)),
        "coordinates outside 0 to 1": ((corners < 0) | (corners > 1) | ~np.isfinite(corners)).any(axis=-1),
        "x_max below x_min or y_max below y_min": (corners[..., :2] > corners[..., 2:]).any(axis=-1),
    }
    for what, rows in faults.items():
        wrong = np.argwhere(used & rows)
        if len(wrong):
            sample, box = map(int, wrong[0])
            values = ", ".join(f"{v:g}" for v in array[sample, box])
            return f"box {box} of sample {sample} has {what}: {values}"
    return None

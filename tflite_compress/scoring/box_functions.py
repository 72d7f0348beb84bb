"""Boxes and scores become detections: non-maximum suppression, and functions that decoders share.

A bundle contains this file as it is, so it needs numpy only.
"""

from __future__ import annotations

import numpy as np

MAX_CANDIDATES = 1000  # of one image, the best ones


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return the logistic function of values."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))))


def corners(centres: np.ndarray) -> np.ndarray:
    """Return boxes as x_min, y_min, x_max, y_max.

    Args:
        centres: Boxes as x, y, width, height around their centre, shape (..., 4).
    """
    middle, half = centres[..., :2], centres[..., 2:] / 2
    return np.concatenate([middle - half, middle + half], axis=-1)


def overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of a box with others.

    Args:
        box: x_min, y_min, x_max, y_max; shape (4,).
        others: Shape (boxes, 4).

    Returns:
        Shape (boxes,).
    """
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(shared / np.maximum(areas - shared, 1e-12))


def suppress_overlaps(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, max_iou: float, max_detections: int
) -> list[int]:
    """Return which boxes to keep, best first: none overlaps a better one of its class by more than max_iou.

    Args:
        boxes: Shape (boxes, 4).
        scores: Shape (boxes,).
        classes: Shape (boxes,).
        max_iou: Largest accepted intersection over union; 1 keeps all boxes.
        max_detections: Number of boxes to keep at most.
    """
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left) and len(kept) < max_detections:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        if max_iou < 1:
            same = classes[left] == classes[best]
            left = left[~(same & (overlap(boxes[best], boxes[left]) > max_iou))]
    return kept


def select_detections(
    boxes: np.ndarray, scores: np.ndarray, min_score: float, max_iou: float, max_detections: int
) -> np.ndarray:
    """Return the detections of each image, best first.

    Args:
        boxes: Boxes with coordinates from 0 to 1, shape (samples, boxes, 4).
        scores: Score of each class, shape (samples, boxes, classes).
        min_score: Smallest score that counts.
        max_iou: Largest accepted overlap of two detections of a class; 1 keeps all.
        max_detections: Number of detections of an image.

    Returns:
        Class, score, x_min, y_min, x_max, y_max; shape (samples, max_detections, 6), float32. Unused rows
        have the class -1.
    """
    found = np.zeros((len(boxes), max_detections, 6), np.float32)
    found[..., 0] = -1
    for image, (places, table) in enumerate(zip(boxes, scores, strict=True)):
        rows, classes = np.nonzero(table >= min_score)
        values = table[rows, classes]
        best = np.argsort(-values, kind="stable")[:MAX_CANDIDATES]
        rows, classes, values = rows[best], classes[best], values[best]
        kept = suppress_overlaps(places[rows], values, classes, max_iou, max_detections)
        chosen = found[image, : len(kept)]
        chosen[:, 0], chosen[:, 1], chosen[:, 2:] = classes[kept], values[kept], places[rows[kept]]
    return found

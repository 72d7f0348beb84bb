"""F1 score of the centres of detections, for detectors that find no sizes."""

from __future__ import annotations

import numpy as np

from tflite_compress.scoring.additive_scores import AdditiveScore, ratio

MIN_SCORE = 0.5  # of a detection that counts


def _counts(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return the hits, labels and detections of each image, shape (samples, 3)."""
    rows = []
    for labels, detections in zip(targets, predictions, strict=True):
        labels = labels[labels[:, 0] >= 0]
        detections = detections[(detections[:, 0] >= 0) & (detections[:, 1] >= MIN_SCORE)]
        rows.append((_hits(labels, detections), len(labels), len(detections)))
    return np.array(rows, np.float64)


def _hits(labels: np.ndarray, detections: np.ndarray) -> int:
    """Return how many labels have a detection of their class with a centre in the other's box, each once."""
    free = np.ones(len(labels), bool)
    for detection in detections:  # best first
        box = detection[2:]
        meets = _holds(labels[:, 1:], _centre(box)) | _holds(box, _centre(labels[:, 1:]))
        usable = np.flatnonzero(free & (labels[:, 0] == detection[0]) & meets)
        if len(usable):
            gaps = np.sum((_centre(labels[usable, 1:]) - _centre(box)) ** 2, axis=1)
            free[usable[np.argmin(gaps)]] = False
    return int(np.sum(~free))


def _centre(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2)


def _holds(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.asarray(np.all((boxes[..., :2] <= points) & (points <= boxes[..., 2:]), axis=-1))


CENTROID_F1 = AdditiveScore(_counts, lambda sums: ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2]))

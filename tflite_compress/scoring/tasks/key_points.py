"""Key points: positions of parts, compared relative to the size of the object."""

from __future__ import annotations

import numpy as np

from tflite_compress.scoring.additive_scores import AdditiveScore, ratio
from tflite_compress.scoring.metrics import Head, Metric
from tflite_compress.scoring.task_types import OutputSample, Task, register

NEAR = 0.2  # of the diagonal around an object's points
OKS_SIGMA = 0.05  # for every point; those of COCO's 17 points are between 0.025 and 0.107


def _points(values: np.ndarray) -> np.ndarray:
    """Return positions as (samples, points, 2 or 3); the third value is above 0 where a point is visible."""
    return values.reshape(len(values), -1, values.shape[-1] if values.ndim > 2 else 2).astype(np.float64)


def _distances(targets: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return squared distances and visibility, (samples, points), and squared diagonals, (samples, 1)."""
    wanted, found = _points(targets), _points(predictions)
    seen = wanted[..., 2] > 0 if wanted.shape[-1] == 3 else np.ones(wanted.shape[:2], bool)
    squared = np.sum((wanted[..., :2] - found[..., :2]) ** 2, axis=-1)
    low = np.where(seen[..., np.newaxis], wanted[..., :2], np.inf).min(axis=1)
    high = np.where(seen[..., np.newaxis], wanted[..., :2], -np.inf).max(axis=1)
    size = np.where(seen.any(axis=1), np.sum(np.maximum(high - low, 0) ** 2, axis=1), 0.0)
    return squared, seen, size[:, np.newaxis]


def _pck(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    squared, seen, size = _distances(targets, predictions)
    near = seen & (squared <= NEAR**2 * size)
    return np.stack([near.sum(axis=1), seen.sum(axis=1)], axis=1).astype(np.float64)


def _oks(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    squared, seen, size = _distances(targets, predictions)
    area = np.maximum(size / 2, np.finfo(np.float64).tiny)  # a square with this diagonal
    similar = np.where(seen, np.exp(-squared / (2 * area * (2 * OKS_SIGMA) ** 2)), 0.0)
    points = seen.sum(axis=1)
    return np.stack([ratio(similar.sum(axis=1), points), points > 0], axis=1).astype(np.float64)


def _mean(sums: np.ndarray) -> np.ndarray:
    return ratio(sums[..., 0], sums[..., 1])


def _fits(sample: OutputSample) -> bool:
    output, labels = sample.output, sample.labels
    has_pairs = output.ndim == 2 and output.shape[-1] % 2 == 0 and output.shape[-1] >= 4
    has_rows = output.ndim == 3 and output.shape[-1] in (2, 3)
    return (has_pairs or has_rows) and (labels is None or labels.shape == output.shape)


TASK = register(
    Task(
        "key-points",
        "positions of points",
        "an output of shape (samples, points, 2 or 3) or (samples, 2 * points) and labels of this shape; "
        "a third value above 0 marks visible points",
        lambda head: (
            Metric(
                "pck",
                AdditiveScore(_pck, _mean),
                is_share=True,
                compares_values=True,
                meaning="share of points within 0.2 of the diagonal around the points",
            ),
            Metric(
                "oks",
                AdditiveScore(_oks, _mean),
                compares_values=True,
                meaning="mean object key point similarity, with sigma 0.05 and the area of the square with "
                "the same diagonal",
            ),
        ),
        lambda sample: Head("regression", False),
        _fits,
    )
)

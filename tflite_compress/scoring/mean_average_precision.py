"""Mean average precision of detections, as COCO evaluates it, also of many resamples of the images.

Lin et al., "Microsoft COCO: Common Objects in Context" (arXiv:1405.0312). The tests compare it with
pycocotools, which evaluates one set of images at a time and takes minutes for an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tflite_compress.scoring.additive_scores import mean_where
from tflite_compress.scoring.box_functions import overlap
from tflite_compress.scoring.resampled_scores import ScoresOfCounts

RECALLS = np.linspace(0, 1, 101)
COCO_OVERLAPS = tuple(float(x) for x in np.linspace(0.5, 0.95, 10))


class _Matches(NamedTuple):
    """Detections of one class in all images, best first.

    Attributes:
        wanted: Number of labels of each image, shape (samples,).
        image: Number of the image of each detection, shape (detections,).
        is_hit: Whether a detection matches a label at each overlap, shape (overlaps, detections).
    """

    wanted: np.ndarray
    image: np.ndarray
    is_hit: np.ndarray


@dataclass(frozen=True)
class MeanAveragePrecision:
    """The mean over classes and overlaps of the average precision.

    Attributes:
        overlaps: Smallest intersections over union with which a detection matches a label.
    """

    overlaps: tuple[float, ...]

    def __call__(self, targets: np.ndarray, predictions: np.ndarray) -> float:
        """Return the score of all samples.

        Args:
            targets: Boxes, shape (samples, boxes, 5); see :mod:`tflite_compress.data.boxes`.
            predictions: Detections, shape (samples, detections, 6): class, score, x_min, y_min, x_max, y_max.
        """
        return float(self.resampled(targets, predictions)(np.ones((1, len(targets))))[0])

    def resampled(self, targets: np.ndarray, predictions: np.ndarray) -> ScoresOfCounts:
        """Return the function that computes the scores of resamples; detections are matched once.

        Args:
            targets: Shape (samples, boxes, 5).
            predictions: Shape (samples, detections, 6).
        """
        classes = self._matches(targets, predictions)

        def scores(counts: np.ndarray) -> np.ndarray:
            found = [self._precisions(one, counts) for one in classes]
            if not found:
                return np.full(len(counts), np.nan)
            return mean_where(*(np.stack(column, axis=1) for column in zip(*found, strict=True)))

        return scores

    def _matches(self, targets: np.ndarray, predictions: np.ndarray) -> list[_Matches]:
        """Return the matches of each class that has labels."""
        pairs = zip(targets, predictions, strict=True)
        hits = np.concatenate([match_image(*pair, self.overlaps) for pair in pairs], axis=1)
        image = np.repeat(np.arange(len(targets)), predictions.shape[1])
        numbers, scores = predictions[..., 0].reshape(-1), predictions[..., 1].reshape(-1)
        found = []
        for number in np.unique(targets[..., 0]):
            if number >= 0:
                chosen = np.flatnonzero(numbers == number)
                chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
                wanted = np.sum(targets[..., 0] == number, axis=1)
                found.append(_Matches(wanted, image[chosen], hits[:, chosen]))
        return found

    def _precisions(self, matches: _Matches, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the average precision of a class in each resample, and whether that has labels of it."""
        wanted = counts @ matches.wanted
        weights = counts[:, matches.image]
        total = np.zeros(len(counts))
        for is_hit in matches.is_hit:
            total += _interpolated(weights, is_hit, wanted)
        return total / len(self.overlaps), wanted > 0


def _interpolated(weights: np.ndarray, is_hit: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the mean precision at 101 recalls, shape (resamples,).

    Args:
        weights: How often each detection occurs, best first, shape (resamples, detections).
        is_hit: Whether a detection matches a label, shape (detections,).
        wanted: Number of labels in each resample, shape (resamples,).
    """
    if not is_hit.any():
        return np.zeros(len(wanted))
    last = int(np.flatnonzero(is_hit)[-1]) + 1  # recall does not rise after it
    hits = np.cumsum(weights[:, :last] * is_hit[:last], axis=1)
    found = np.cumsum(weights[:, :last], axis=1)
    precision = hits / np.maximum(found, 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    means = np.zeros(len(wanted))
    for row, count in enumerate(wanted):
        if count > 0:
            places = np.searchsorted(hits[row] / count, RECALLS, side="left")
            means[row] = precision[row, places[places < last]].sum() / len(RECALLS)
    return means


def match_image(labels: np.ndarray, detections: np.ndarray, overlaps: tuple[float, ...]) -> np.ndarray:
    """Return which detections of an image match a label, each label once, the best detections first.

    Args:
        labels: Shape (boxes, 5).
        detections: Shape (detections, 6), best first.
        overlaps: Smallest intersections over union that match.

    Returns:
        Shape (overlaps, detections).
    """
    limits = np.minimum(np.array(overlaps), 1 - 1e-10)[:, np.newaxis]
    hits = np.zeros((len(limits), len(detections)), bool)
    labels = labels[labels[:, 0] >= 0].astype(np.float64)
    taken = np.zeros((len(limits), len(labels)), bool)
    for index, detection in enumerate(detections.astype(np.float64)):
        same = np.flatnonzero(labels[:, 0] == detection[0])
        if not len(same):
            continue
        shared = overlap(detection[2:], labels[same, 1:])
        usable = np.where(taken[:, same] | (shared < limits), -1.0, shared)
        best = len(same) - 1 - usable[:, ::-1].argmax(axis=1)  # of equal ones the last, as in pycocotools
        found = usable[np.arange(len(limits)), best] >= 0
        hits[found, index] = True
        taken[found, same[best[found]]] = True
    return hits

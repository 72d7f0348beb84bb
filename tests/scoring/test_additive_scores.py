from __future__ import annotations

import numpy as np

from tflite_compress.scoring.additive_scores import AdditiveScore, class_counts, of_class_counts, ratio


def squared_errors(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return np.stack([(targets - predictions) ** 2, np.ones_like(targets)], axis=1)


def test_a_resample_scores_like_its_samples() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=(2, 40))
    score = AdditiveScore(squared_errors, lambda sums: np.sqrt(ratio(sums[..., 0], sums[..., 1])))
    chosen = rng.integers(0, 40, 40)
    counts = np.bincount(chosen, minlength=40)[np.newaxis].astype(float)
    assert np.allclose(score.resampled(y, p)(counts), [score(y[chosen], p[chosen])])


def test_class_counts_leave_negative_targets_out() -> None:
    wanted, found = np.array([[0, 1, -1], [2, 2, 0]]), np.array([[0, 0, 1], [2, 1, 0]])
    counts = class_counts(wanted, found, 3)
    assert counts[0].tolist() == [1, 0, 0, 1, 1, 0, 2, 0, 0]
    hits, in_targets, in_predictions = of_class_counts(counts.sum(axis=0))
    assert hits.tolist() == [2, 0, 1] and in_targets.tolist() == [2, 1, 2]
    assert in_predictions.tolist() == [3, 1, 1]

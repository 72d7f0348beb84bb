"""Embeddings: vectors that are close for samples of one identity."""

from __future__ import annotations

import numpy as np

from tflite_compress.scoring.additive_scores import AdditiveScore, ratio
from tflite_compress.scoring.curve_scores import equal_error_rate
from tflite_compress.scoring.metrics import Head, Metric
from tflite_compress.scoring.task_types import OutputSample, Task, register

_BLOCK = 512  # samples that are compared with all others at once
_MAX_PAIRED = 2000  # samples of which all pairs are compared


def _unit(vectors: np.ndarray) -> np.ndarray:
    rows = vectors.reshape(len(vectors), -1).astype(np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _hits(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Return for each sample whether its nearest neighbour matches, and whether any sample can."""
    names, vectors = targets.reshape(-1), _unit(predictions)
    rows = []
    for start in range(0, len(vectors), _BLOCK):
        near = vectors[start : start + _BLOCK] @ vectors.T
        own = np.arange(len(near))
        near[own, start + own] = -np.inf
        rows.append(names[near.argmax(axis=1)] == names[start : start + _BLOCK])
    _, place, count = np.unique(names, return_inverse=True, return_counts=True)
    can = count[place] > 1
    return np.stack([np.concatenate(rows) & can, can], axis=1).astype(np.float64)


def verification_eer(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Return the equal error rate of telling pairs of one identity from others by cosine similarity.

    Args:
        targets: Identities, shape (samples,).
        predictions: Vectors, shape (samples, ...). Of over 2,000, 2,000 at equal steps are compared.
    """
    chosen = np.linspace(0, len(targets) - 1, min(len(targets), _MAX_PAIRED)).astype(np.int64)
    names, vectors = targets.reshape(-1)[chosen], _unit(predictions[chosen])
    upper = np.triu_indices(len(names), 1)
    return equal_error_rate((names[:, np.newaxis] == names)[upper], (vectors @ vectors.T)[upper])


def _fits(sample: OutputSample) -> bool:
    output, labels = sample.output, sample.labels
    return output.ndim == 2 and output.shape[1] > 1 and (labels is None or labels.shape == output.shape[:1])


def _is_inferred(sample: OutputSample) -> bool:
    """Return whether outputs have length 1, some values are below 0, and labels are numbers."""
    output = sample.output
    if sample.labels is None or not _fits(sample) or output.min(initial=0) >= 0 or output.shape[1] < 3:
        return False
    return bool(np.allclose(np.linalg.norm(output, axis=1), 1, atol=1e-3))


TASK = register(
    Task(
        "embeddings",
        "vectors that are close for samples of one identity",
        "an output of shape (samples, dimensions) and the number of each sample's identity (samples,)",
        lambda head: (
            Metric(
                "recall_at_1",
                AdditiveScore(_hits, lambda sums: ratio(sums[..., 0], sums[..., 1])),
                is_share=True,
                needs_labels=True,
                meaning="share of samples whose nearest other sample has the same identity",
            ),
            Metric(
                "eer",
                verification_eer,
                higher_is_better=False,
                is_share=True,
                needs_labels=True,
                meaning="equal error rate of telling pairs of one identity from others",
            ),
        ),
        lambda sample: Head("regression", False),
        _fits,
        _is_inferred,
        trains_on_labels=False,
    )
)

"""Samples made up for a forest to answer: what it would say need not be known."""

from __future__ import annotations

import numpy as np

SHARE = 0.2  # of the features, from another sample


def with_mixtures(x: np.ndarray, mixtures: int, seed: int, most: int) -> np.ndarray:
    """Samples, followed by copies in which a part of the features comes from another sample.

    Args:
        x: Shape (samples, features).
        mixtures: Copies of each sample.
        seed: Seed of the mixing.
        most: Rows there may be in all.
    """
    x = x[:most]
    rng = np.random.default_rng(seed)
    made = [x]
    for _ in range(min(mixtures, most // len(x) - 1)):
        other = x[rng.permutation(len(x))]
        made.append(np.where(rng.random(x.shape) < SHARE, other, x))
    return np.concatenate(made)

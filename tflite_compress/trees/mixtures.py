"""Generate samples from others, to be labeled by a forest."""

from __future__ import annotations

import numpy as np

SHARE = 0.2  # of the features of a copy


def add_mixtures(x: np.ndarray, mixtures: int, seed: int, max_rows: int) -> np.ndarray:
    """Append copies of the samples in which 20 % of the features come from another sample.

    Args:
        x: Shape (samples, features).
        mixtures: Copies of each sample.
        seed: Seed of the mixing.
        max_rows: Maximum number of rows returned.

    Returns:
        The samples followed by the copies, shape (rows, features).
    """
    x = x[:max_rows]
    rng = np.random.default_rng(seed)
    made = [x]
    for _ in range(min(mixtures, max_rows // len(x) - 1)):
        other = x[rng.permutation(len(x))]
        made.append(np.where(rng.random(x.shape) < SHARE, other, x))
    return np.concatenate(made)

"""Shares of zeros."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def share_of_zeros(kernels: Iterable[np.ndarray]) -> float:
    """Return the share of zeros of kernels together, from 0 to 1; 0 if there are none."""
    arrays = [*kernels]
    return sum(int(np.sum(k == 0)) for k in arrays) / max(1, sum(k.size for k in arrays))

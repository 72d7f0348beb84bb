"""Share out zeros among layers so that the network's outputs change least.

The change of the network's outputs is taken as a sum over layers: a layer's own error at a level of sparsity,
times how much the outputs react to it. The best shares for a sum are those at which one more zero costs every
layer the same (Lagrange multiplier).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRID = np.linspace(0.0, 0.97, 98)
MIN_ERROR = 1e-9
# Of the share of weights that is kept overall, what each layer keeps at least: errors of one layer alone say
# little where most of its weights are gone.
KEPT_BY_EACH = 0.4


@dataclass(frozen=True)
class LayerCurve:
    """What sparsity costs in one layer.

    Attributes:
        weights: Number of weights.
        levels: Shares of zeros, rising, from 0 to 1.
        errors: Change of the network's outputs at each level.
    """

    weights: int
    levels: tuple[float, ...]
    errors: tuple[float, ...]

    def on_grid(self) -> np.ndarray:
        """Return the errors on ``GRID``, interpolated in the logarithm; they never fall."""
        errors = np.maximum.accumulate(np.maximum(self.errors, MIN_ERROR))
        logs = np.interp(GRID, (0.0, *self.levels), (np.log(MIN_ERROR), *np.log(errors)))
        return np.asarray(np.exp(logs))


def allocate(curves: Sequence[LayerCurve], sparsity: float) -> list[float]:
    """Return the share of zeros of each layer.

    Args:
        curves: One curve per layer.
        sparsity: Share of zeros of all layers together, below 0.97.
    """
    counts = np.array([c.weights for c in curves], float)
    errors = np.stack([c.on_grid() for c in curves])
    highest = min(float(GRID[-1]), 1 - KEPT_BY_EACH * (1 - sparsity))
    errors[:, highest < GRID] = np.inf
    low, high = -60.0, 60.0  # logarithm of what a zero may cost
    for _ in range(80):
        middle = (low + high) / 2
        shares = _shares(errors, counts, np.exp(middle))
        low, high = (low, middle) if shares @ counts > sparsity * counts.sum() else (middle, high)
    shares = _shares(errors, counts, np.exp(low))
    for _ in range(20):  # the grid is coarse: even out what is missing
        missing = sparsity - shares @ counts / counts.sum()
        shares = np.clip(shares + missing, 0.0, highest)
    return [float(s) for s in shares]


def _shares(errors: np.ndarray, counts: np.ndarray, price: float) -> np.ndarray:
    gain = price * counts[:, None] / counts.sum() * GRID
    return np.asarray(GRID[np.argmin(errors - gain, axis=1)])

"""Remove input channels of a layer and choose the other weights so that its outputs change least.

A channel owns several rows of a kernel's matrix. Removing rows c, with all others at their best, costs
trace(w_c' [H^-1]_cc^-1 w_c), where H is the second moment of the inputs (Hassibi and Stork, "Second order
derivatives for network pruning: Optimal Brain Surgeon", 1992, for a block of weights). He et al., "Channel
Pruning for Accelerating Very Deep Neural Networks" (arXiv:1707.06168), also solve for the other weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite_compress.passes.algorithms.layer_grams import Grams
from tflite_compress.passes.algorithms.reconstruction import damping_of, inverse_of

STEPS = 24  # in which the channels of a family are ranked


@dataclass(frozen=True, eq=False)
class Reader:
    """A layer that reads channels, and what its outputs are worth.

    Attributes:
        grams: Second moments of its inputs.
        weights: Its weights, float64, shape (parts, rows, outputs).
        groups: The group of channels of each row, int64, shape (parts, rows); negative for rows that stay.
        factor: Change of the network's outputs for each unit of the layer's squared error.
    """

    grams: Grams
    weights: np.ndarray
    groups: np.ndarray
    factor: float = 1.0


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights for the channels that stay.

    Attributes:
        weights: float64, shape (parts, rows, outputs); rows of removed channels are zero.
        constants: What each part adds to the outputs, shape (parts, outputs); None without a constant row.
        error: Squared change of the outputs, summed over samples and outputs.
    """

    weights: np.ndarray
    constants: np.ndarray | None
    error: float


def solved_for(reader: Reader, removed: np.ndarray) -> Solution:
    """Return the best weights of a layer without some groups of channels.

    Args:
        reader: The layer. The moments may be those of a network whose earlier layers have changed.
        removed: Numbers of the groups, int64.
    """
    weights, grams = reader.weights, reader.grams
    rows, all_rows = weights.shape[1], grams.given.shape[1]
    original = np.pad(weights, ((0, 0), (0, all_rows - rows), (0, 0)))
    damping = damping_of(grams.given)
    given = grams.given + damping * np.eye(all_rows)
    target = np.matmul(grams.wanted, original) + damping * original
    keep = np.pad(~np.isin(reader.groups, removed), ((0, 0), (0, all_rows - rows)), constant_values=True)
    kept = keep.astype(np.float64)
    masked = given * kept[:, :, None] * kept[:, None, :] + np.eye(all_rows) * (1 - kept)[:, None, :]
    solution = np.matmul(inverse_of(masked), target * kept[:, :, None]) * kept[:, :, None]
    change = solution - original
    error = max(0.0, float(np.sum(change * np.matmul(grams.given, change))))
    constants = solution[:, rows].copy() if all_rows > rows else None
    return Solution(solution[:, :rows], constants, error)


def removal_costs(readers: Sequence[Reader], groups: np.ndarray, max_removed: int) -> np.ndarray:
    """Return what the removal of each group costs, cheapest first; each cost is that after those before it.

    Args:
        readers: All layers that read the groups.
        groups: Numbers of the groups, int64, shape (groups,).
        max_removed: Number of groups to rank. The others cost more than these.

    Returns:
        float64, shape (groups,): rising in the order of removal.
    """
    states = [_State(reader) for reader in readers]
    left, costs, highest = groups.copy(), np.zeros(len(groups)), 0.0
    positions = {int(group): index for index, group in enumerate(groups)}
    step = max(1, -(-max_removed // STEPS))
    while len(groups) - len(left) < max_removed:
        found = np.sum([state.costs(left) for state in states], axis=0)
        chosen = np.argsort(found, kind="stable")[:step]
        for index in chosen:
            highest = max(highest, float(found[index])) * (1 + 1e-9) + 1e-300
            costs[positions[int(left[index])]] = highest
        for state in states:
            state.remove(left[chosen])
        left = np.delete(left, chosen)
    for group in left:
        costs[positions[int(group)]] = highest * 2
    return costs


class _State:
    """The inverse and the best weights of a reader while its channels are removed."""

    def __init__(self, reader: Reader) -> None:
        self._groups, self._factor = reader.groups, reader.factor
        rows, all_rows = reader.weights.shape[1], reader.grams.given.shape[1]
        given = reader.grams.given + damping_of(reader.grams.given) * np.eye(all_rows)
        self._inverse = inverse_of(given).copy()
        self._weights = np.pad(reader.weights, ((0, 0), (0, all_rows - rows), (0, 0)))

    def costs(self, groups: np.ndarray) -> np.ndarray:
        """Return the cost of removing each of some groups next, float64, shape (groups,)."""
        return self._factor * np.array([sum(self._cost(*place) for place in self._places(g)) for g in groups])

    def remove(self, groups: np.ndarray) -> None:
        """Remove some groups."""
        for part in range(len(self._groups)):
            rows = np.flatnonzero(np.isin(self._groups[part], groups))
            if not len(rows):
                continue
            inverse = self._inverse[part]
            columns = inverse[:, rows]
            step = np.linalg.solve(inverse[np.ix_(rows, rows)], np.eye(len(rows)))
            self._weights[part] -= columns @ (step @ self._weights[part][rows])
            self._inverse[part] = inverse - columns @ step @ columns.T

    def _places(self, group: int) -> list[tuple[int, np.ndarray]]:
        found = [(part, np.flatnonzero(own == group)) for part, own in enumerate(self._groups)]
        return [(part, rows) for part, rows in found if len(rows)]

    def _cost(self, part: int, rows: np.ndarray) -> float:
        own = self._weights[part][rows]
        return float(np.sum(own * np.linalg.solve(self._inverse[part][np.ix_(rows, rows)], own)))

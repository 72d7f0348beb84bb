"""Remove weights of a matrix and choose the others so that its outputs change least.

The outputs of a column change by a quadratic form of the weights, whose matrix is the second moment H of the
inputs. Removing weight j alone, with all others at their best, costs w_j^2 / [H^-1]_jj (Hassibi and Stork,
"Second order derivatives for network pruning: Optimal Brain Surgeon", 1992; by layer in Frantar and Alistarh,
"Optimal Brain Compression", arXiv:2208.11580). Weights are removed in rounds; in each, the remaining ones are
solved for anew, in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.passes.algorithms.layer_grams import Grams

DAMPING = 0.01  # of the mean of the diagonal
CHUNK_BYTES = 256 << 20


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The solution at one level of sparsity.

    Attributes:
        sparsity: Share of zeros.
        weights: float64, shape (groups, rows, outputs).
        constants: What each group adds to the biases, shape (groups, outputs); None without a bias.
        error: Mean square change of the outputs, as a share of their mean square.
    """

    sparsity: float
    weights: np.ndarray
    constants: np.ndarray | None
    error: float


def removed_step_by_step(
    grams: Grams,
    weights: np.ndarray,
    levels: tuple[float, ...],
    multiple: int = 1,
    block: tuple[int, int] = (1, 1),
) -> list[Reconstruction]:
    """Remove the weights that cost least, in rounds.

    Args:
        grams: Second moments of the inputs, with a constant row where there is a bias.
        weights: The original weights, float64, shape (groups, rows, outputs).
        levels: Share of zeros after each round, rising.
        multiple: With 1, weights are removed one by one. With 4, each four weights along the rows lose as
            many as the others: 2 of them at 0.5.
        block: Rows and outputs of a block; all weights of a block become zero together. Rows and outputs are
            multiples of it.

    Returns:
        One solution per level.
    """
    rows, all_rows = weights.shape[1], grams.given.shape[1]
    original = np.pad(weights, ((0, 0), (0, all_rows - rows), (0, 0)))
    damping = damping_of(grams.given)
    given = grams.given + damping * np.eye(all_rows)
    # Damping pulls weights to the original's, so that it does not shrink them.
    target = np.matmul(grams.wanted, original) + damping * original
    size = _square(grams.given, original)
    keep = np.ones_like(weights, dtype=bool)
    found = []
    cost, solution = _solve(given, target, keep)
    for level in levels:
        keep = _without_cheapest(cost, keep, level, multiple, block)
        cost, solution = _solve(given, target, keep)
        error = _square(grams.given, solution - original) / size if size else 0.0
        constants = solution[:, rows].copy() if all_rows > rows else None
        found.append(Reconstruction(float(1 - keep.mean()), solution[:, :rows] * keep, constants, error))
    return found


def damping_of(gram: np.ndarray) -> np.ndarray:
    """Return what is added to the diagonal of second moments, shape (groups, 1, 1).

    Args:
        gram: Second moments, shape (groups, rows, rows).
    """
    share = DAMPING * np.mean(np.diagonal(gram, axis1=1, axis2=2), axis=1)
    return np.asarray(np.maximum(share, 1e-12)[:, None, None])


def _without_cheapest(
    cost: np.ndarray, keep: np.ndarray, level: float, multiple: int, block: tuple[int, int]
) -> np.ndarray:
    """Return which weights stay at a level of sparsity."""
    if block != (1, 1):
        height, width = block
        groups, rows, outputs = cost.shape
        blocks = cost.reshape(groups, rows // height, height, outputs // width, width).sum(axis=(2, 4))
        stays = _without_cheapest(blocks, keep[:, ::height, ::width], level, 1, (1, 1))
        return np.asarray(stays.repeat(height, axis=1).repeat(width, axis=2))
    cost = np.where(keep, cost, -1.0)  # what is removed stays removed
    if multiple > 1:
        groups, rows, outputs = cost.shape
        fours = cost.reshape(groups, rows // multiple, multiple, outputs)
        order = np.argsort(np.argsort(fours, axis=2, kind="stable"), axis=2, kind="stable")
        return np.asarray((order >= round(level * multiple)).reshape(cost.shape))
    count = round(level * cost.size)
    stays = np.ones(cost.size, dtype=bool)
    stays[np.argsort(cost, axis=None, kind="stable")[:count]] = False
    return stays.reshape(cost.shape)


def _solve(given: np.ndarray, target: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what removing each weight costs, and the best weights; removed ones are zero."""
    groups, rows, outputs = keep.shape
    all_keep = np.pad(keep, ((0, 0), (0, given.shape[1] - rows), (0, 0)), constant_values=True)
    if keep.all():
        inverse = inverse_of(given)
        solution = np.matmul(inverse, target)
        diagonal = np.diagonal(inverse, axis1=1, axis2=2)[:, :rows, None]
        return solution[:, :rows] ** 2 / diagonal, solution
    cost, solution = np.zeros(keep.shape), np.zeros(target.shape)
    step = max(1, CHUNK_BYTES // (given.shape[1] ** 2 * 8 * 3))
    eye = np.eye(given.shape[1])
    for group in range(groups):
        for start in range(0, outputs, step):
            kept = all_keep[group, :, start : start + step].T.astype(np.float64)
            masked = given[group] * kept[:, :, None] * kept[:, None, :] + eye * (1 - kept)[:, None, :]
            inverse = inverse_of(masked)
            wanted = target[group, :, start : start + step].T * kept
            found = np.matmul(inverse, wanted[:, :, None])[:, :, 0] * kept
            solution[group, :, start : start + step] = found.T
            diagonal = np.diagonal(inverse, axis1=1, axis2=2)
            cost[group, :, start : start + step] = (found**2 / diagonal).T[:rows]
    return cost, solution


def inverse_of(matrices: np.ndarray) -> np.ndarray:
    """Return the inverses of symmetric matrices.

    TensorFlow works on several matrices at once; OpenBLAS's threads wait for each other in every one.
    """
    from tflite_compress.support.backend import tensorflow

    return np.asarray(tensorflow().linalg.inv(matrices))


def _square(gram: np.ndarray, weights: np.ndarray) -> float:
    """Return the sum of the squared outputs of weights, shape (groups, rows, outputs)."""
    return max(0.0, float(np.sum(weights * np.matmul(gram, weights))))

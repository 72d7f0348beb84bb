"""Order the trees of a forest and choose how many to keep; see pass ``drop_trees``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite_compress.passes.base import Context

MAX_CELLS = 40_000_000  # of the table with the value of each tree for each sample
RIDGE = 1e-4
WINDOW = 5
MIXTURES = 3


def fewest_trees(losses: list[float], budget: float, strict: bool) -> int:
    """Return the smallest number of trees that keeps the accuracy.

    A small number may keep it by chance on the samples held out for choosing. So larger numbers must keep it
    too.

    Args:
        losses: Accuracy drop with 1, 2, ... trees.
        budget: Allowed accuracy drop.
        strict: True if each larger number must keep the accuracy; False if the mean over the next ones must.

    Returns:
        The number of trees; ``len(losses) + 1`` if none keeps the accuracy.
    """
    for kept in range(1, len(losses) + 1):
        further = losses[kept - 1 :]
        window = further[: 1 + max(WINDOW, kept // 2)]
        if losses[kept - 1] <= budget and (max(further) if strict else float(np.mean(window))) <= budget:
            return kept
    return len(losses) + 1


def fitting_samples(context: Context, width: int) -> np.ndarray:
    """Return samples to fit weights on: training samples, those held out for choosing, and mixtures of them.

    Args:
        context: The samples and the seed.
        width: Number of values per sample in the table of tree values; bounds the number of samples.

    Returns:
        Samples without labels, shape (samples, features).
    """
    from tflite_compress.trees.mixtures import add_mixtures

    splits = context.reference.splits
    x = np.concatenate([splits.calibrate.inputs[0], splits.train.inputs[0]])
    return add_mixtures(x, MIXTURES, context.seed, max(1, MAX_CELLS // width))


def by_tree(values: np.ndarray) -> np.ndarray:
    """Return values of shape (samples, trees, columns) with shape (trees, samples * columns)."""
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)


def pursuit(
    table: np.ndarray, target: np.ndarray, advance: Callable[[int], None]
) -> tuple[list[int], list[np.ndarray]]:
    """Select rows of a table by orthogonal matching pursuit.

    Args:
        table: Values, shape (rows, values).
        target: Values that the weighted sum of rows approximates, shape (values,).
        advance: Called with 1 for each selected row.

    Returns:
        The rows in the order of selection, and after each selection the weights of all rows selected so far.
    """
    gram, wanted = table @ table.T, table @ target
    norms = np.sqrt(np.maximum(np.diag(gram), 1e-30))
    ridge = RIDGE * float(np.mean(np.diag(gram))) + 1e-30
    order: list[int] = []
    weights: list[np.ndarray] = []
    rest = wanted.copy()
    for _ in range(len(table)):
        gains = np.abs(rest) / norms
        gains[order] = -1.0
        order.append(int(gains.argmax()))
        inner = gram[np.ix_(order, order)] + ridge * np.eye(len(order))
        weights.append(np.linalg.solve(inner, wanted[order]))
        rest = wanted - gram[:, order] @ weights[-1]
        advance(1)
    return order, weights

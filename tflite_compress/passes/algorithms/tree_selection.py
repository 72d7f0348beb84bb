"""Ordering trees by what each adds, and choosing how many to keep; see pass ``drop_trees``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite_compress.passes.base import Context

MAX_CELLS = 40_000_000  # numbers in the table of what each tree adds for each sample


RIDGE = 1e-4


WINDOW = 5


MIXTURES = 3


def fewest_trees(losses: list[float], budget: float, strict: bool) -> int:
    """The fewest trees that keep the budget, and so do those with some more on the average.

    A few trees may do well by chance where more did not; the verdict would then come out otherwise.
    """
    for kept in range(1, len(losses) + 1):
        further = losses[kept - 1 :]
        window = further[: 1 + max(WINDOW, kept // 2)]
        if losses[kept - 1] <= budget and (max(further) if strict else float(np.mean(window))) <= budget:
            return kept
    return len(losses) + 1


def fitting_samples(context: Context, width: int) -> np.ndarray:
    """Training and choosing samples and mixtures of them, as many as memory bears; answers need no labels."""
    from tflite_compress.trees.mixtures import add_mixtures

    splits = context.reference.splits
    x = np.concatenate([splits.calibrate.inputs[0], splits.train.inputs[0]])
    return add_mixtures(x, MIXTURES, context.seed, max(1, MAX_CELLS // width))


def by_tree(values: np.ndarray) -> np.ndarray:
    """(samples, trees, columns) as (trees, samples times columns)."""
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)


def pursuit(
    table: np.ndarray, target: np.ndarray, advance: Callable[[int], None]
) -> tuple[list[int], list[np.ndarray]]:
    """Orthogonal matching pursuit on rows of ``table``.

    Returns:
        The rows in the order taken, and after each the weights of all taken so far.
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

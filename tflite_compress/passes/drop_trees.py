"""Dropping trees of a forest, and weighting those that stay.

Trees are taken one by one, always the one that explains most of what is still missing from the original's
answers, and all weights are fitted again after each: orthogonal matching pursuit (Pati et al., 1993), as
ordered aggregation does for bagging (Martinez-Munoz and Suarez, "Pruning in Ordered Bagging Ensembles",
ICML 2006).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tflite_compress.passes.base import Context, Model, PassConfig, Share

MAX_CELLS = 40_000_000  # numbers in the table of what each tree adds for each sample
RIDGE = 1e-4
WINDOW = 5
MIXTURES = 3


class DropTrees(PassConfig, frozen=True, tag="drop-trees"):
    """Keep the fewest trees whose weighted sum keeps the accuracy.

    Attributes:
        share: Part of ``max_drop`` that may be lost by now; 0 leaves the pass out.
        keep: Part of the trees to keep at least.
        strict: All larger numbers of trees must keep it too, not only the next ones on the average.
    """

    share: Share = 0.75
    keep: Share = 0.0
    strict: bool = False


def apply(config: DropTrees, model: Model, context: Context) -> Model:
    """Order the trees by marginal gain on samples and mixtures of them, keep the fewest that will do."""
    from tflite_compress.passes.forest_score import judge_of, network_of, with_forest
    from tflite_compress.trees.forest import linked

    forest, judge = network_of(model).forest, judge_of(context)
    count = len(forest.trees)
    if not config.share or count < 2:
        return model
    fitting = _samples(context, count * forest.columns)
    table = _by_tree(forest.tree_values(fitting))
    with context.progress.step("ordering trees", count) as advance:
        order, weights = _pursuit(table, table.sum(axis=0), advance)
    shown = _by_tree(forest.tree_values(judge.x))
    losses = []
    for kept in range(1, count):
        used = weights[kept - 1][:, np.newaxis] * shown[order[:kept]]
        raw = used.sum(axis=0).reshape(len(judge.x), forest.columns) * forest.scale + forest.base
        losses.append(judge.loss_of_predictions(linked(raw, forest.link)))
    least = max(1, math.ceil(config.keep * count))
    fewest = max(least, _fewest(losses, judge.budget(config.share), config.strict))
    if fewest == count:
        return model.noting("no tree could be dropped within the accuracy allowed")
    chosen = zip(order[:fewest], weights[fewest - 1], strict=True)
    trees = tuple(replace(forest.trees[n], value=forest.trees[n].value * w) for n, w in chosen)
    return with_forest(model, forest.with_trees(trees))


def _fewest(losses: list[float], budget: float, strict: bool) -> int:
    """The fewest trees that keep the budget, and so do those with some more on the average.

    A few trees may do well by chance where more did not; the verdict would then come out otherwise.
    """
    for kept in range(1, len(losses) + 1):
        further = losses[kept - 1 :]
        window = further[: 1 + max(WINDOW, kept // 2)]
        if losses[kept - 1] <= budget and (max(further) if strict else float(np.mean(window))) <= budget:
            return kept
    return len(losses) + 1


def _samples(context: Context, width: int) -> np.ndarray:
    """Training and choosing samples and mixtures of them, as many as memory bears; answers need no labels."""
    from tflite_compress.trees.mixtures import with_mixtures

    splits = context.reference.splits
    x = np.concatenate([splits.calibrate.inputs[0], splits.train.inputs[0]])
    return with_mixtures(x, MIXTURES, context.seed, max(1, MAX_CELLS // width))


def _by_tree(values: np.ndarray) -> np.ndarray:
    """(samples, trees, columns) as (trees, samples times columns)."""
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)


def _pursuit(
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

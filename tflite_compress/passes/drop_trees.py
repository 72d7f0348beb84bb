"""Keep some trees of a forest and fit a weight for each.

Trees are selected one by one by orthogonal matching pursuit (Pati et al., 1993). Each step selects the tree
that reduces the remaining difference to the forest's outputs most, and fits all weights again. Ordered
aggregation does the same for bagging (Martinez-Munoz and Suarez, "Pruning in Ordered Bagging Ensembles", ICML
2006).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from tflite_compress.passes.base import Context, Domain, FloatPass, Stage, register, share_in_words
from tflite_compress.passes.setting_bounds import Share
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.notes import Note


@register
class DropTrees(FloatPass, frozen=True, tag="drop_trees"):
    """Keep the smallest number of trees whose weighted sum keeps the accuracy.

    Attributes:
        share: Share of ``max_drop`` that the accuracy may drop by after this pass; 0 leaves the pass out.
        keep: Minimum share of the trees to keep.
        strict: True if every larger number of trees must keep the accuracy too; False if only the mean over
            the next larger numbers must.
    """

    stage: ClassVar = Stage.TRAIN
    domain: ClassVar = Domain.FOREST
    safer_values: ClassVar = {"share": min}

    share: Share = 0.75
    keep: Share = 0.0
    strict: bool = False

    def summary(self) -> str | None:
        """Return ``fewer trees`` and the share of the accuracy drop."""
        return share_in_words("fewer trees", self.share)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the forest with the smallest number of trees that keeps the accuracy.

        Args:
            model: A forest.
            context: Training samples to fit weights on, samples to measure accuracy on, and the allowed
                accuracy drop.
        """
        import numpy as np

        from tflite_compress.passes.algorithms.forest_score import forest_scorer, network_of, with_forest
        from tflite_compress.passes.algorithms.tree_selection import (
            by_tree,
            fewest_trees,
            fitting_samples,
            pursuit,
        )
        from tflite_compress.trees.forest import apply_link

        forest, scorer = network_of(model).forest, forest_scorer(context)
        count = len(forest.trees)
        if not self.share or count < 2:
            return model
        fitting = fitting_samples(context, count * forest.columns)
        table = by_tree(forest.tree_values(fitting))
        with context.progress.step("ordering trees", count) as advance:
            order, weights = pursuit(table, table.sum(axis=0), advance)
        shown = by_tree(forest.tree_values(scorer.x))
        losses = []
        for kept in range(1, count):
            used = weights[kept - 1][:, np.newaxis] * shown[order[:kept]]
            raw = used.sum(axis=0).reshape(len(scorer.x), forest.columns) * forest.scale + forest.base
            losses.append(scorer.drop_of_predictions(apply_link(raw, forest.link)))
        least = max(1, math.ceil(self.keep * count))
        fewest = max(least, fewest_trees(losses, scorer.allowed_drop(self.share), self.strict))
        if fewest == count:
            return model.noting(
                Note("pass-left-out", "no tree can be dropped within the allowed accuracy drop")
            )
        chosen = zip(order[:fewest], weights[fewest - 1], strict=True)
        trees = tuple(replace(forest.trees[n], value=forest.trees[n].value * w) for n, w in chosen)
        return with_forest(model, forest.with_trees(trees))

"""Dropping trees of a forest, and weighting those that stay.

Trees are taken one by one, always the one that explains most of what is still missing from the original's
answers, and all weights are fitted again after each: orthogonal matching pursuit (Pati et al., 1993), as
ordered aggregation does for bagging (Martinez-Munoz and Suarez, "Pruning in Ordered Bagging Ensembles",
ICML 2006).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from tflite_compress.passes.base import Context, Domain, FloatPass, Share, Stage, register, share_in_words
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.notes import Note


@register
class DropTrees(FloatPass, frozen=True, tag="drop_trees"):
    """Keep the fewest trees whose weighted sum keeps the accuracy.

    Attributes:
        share: Share of ``max_drop`` that the accuracy may drop by after this pass; 0 leaves the pass out.
        keep: Share of the trees to keep at least.
        strict: Require every larger number of trees to keep the accuracy too, not only the next ones on
            average.
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
        """Order the trees by marginal gain on samples and mixtures of them, keep the fewest that will do."""
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
            return model.noting(Note("pass-left-out", "no tree could be dropped within the accuracy allowed"))
        chosen = zip(order[:fewest], weights[fewest - 1], strict=True)
        trees = tuple(replace(forest.trees[n], value=forest.trees[n].value * w) for n, w in chosen)
        return with_forest(model, forest.with_trees(trees))

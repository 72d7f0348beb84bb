"""Remove splits of trees that contribute little; see ``trees.cost_complexity``."""

from __future__ import annotations

from typing import ClassVar

from tflite_compress.passes.base import Context, Domain, FloatPass, Stage, register, share_in_words
from tflite_compress.passes.setting_bounds import Share
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.notes import Note


@register
class PruneTrees(FloatPass, frozen=True, tag="prune_trees"):
    """Remove splits by cost-complexity pruning, as many as the accuracy drop allows.

    Attributes:
        share: Share of ``max_drop`` that the accuracy may drop by after this pass; 0 leaves the pass out.
    """

    stage: ClassVar = Stage.TRAIN
    domain: ClassVar = Domain.FOREST
    safer_values: ClassVar = {"share": min}

    share: Share = 0.5

    def summary(self) -> str | None:
        """Return ``pruned trees`` and the share of the accuracy drop."""
        return share_in_words("pruned trees", self.share)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the forest pruned at the largest complexity parameter that keeps the accuracy.

        Args:
            model: A forest.
            context: Samples to measure accuracy on, and the allowed accuracy drop.
        """
        import numpy as np

        from tflite_compress.passes.algorithms.forest_score import forest_scorer, network_of, with_forest
        from tflite_compress.trees.cost_complexity import pruning_order

        if not self.share:
            return model
        forest, scorer = network_of(model).forest, forest_scorer(context)
        with context.progress.step("pruning trees", len(forest.trees)) as advance:
            found = []
            for tree in forest.trees:
                found.append(pruning_order(tree))
                advance(1)
        alphas = np.unique(np.concatenate([w.alpha[np.isfinite(w.alpha)] for w in found] or [np.zeros(0)]))
        low, high = 0, len(alphas)  # bisection: the first ``low`` alphas keep the accuracy
        kept = forest
        while low < high:
            middle = (low + high + 1) // 2
            candidate = forest.with_trees(tuple(w.prune(float(alphas[middle - 1])) for w in found))
            if scorer.drop_of(candidate) <= scorer.allowed_drop(self.share):
                low, kept = middle, candidate
            else:
                high = middle - 1
        if kept is forest:
            return model.noting(
                Note("pass-left-out", "no split can be removed within the allowed accuracy drop")
            )
        return with_forest(model, kept)

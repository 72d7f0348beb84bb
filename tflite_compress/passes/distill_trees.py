"""Train fewer and shallower trees to reproduce the outputs of a forest.

The trees are trained by gradient boosting on squared error (Friedman, 2001) with the forest's outputs as
targets, on training samples and on synthetic ones: mixtures of pairs of training samples, which the forest
labels (Bucila et al., "Model Compression", KDD 2006).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta

from tflite_compress.passes.base import Context, Domain, FloatPass, Stage, register, share_in_words
from tflite_compress.passes.setting_bounds import Count, Ratio, Share
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.trees.forest import Forest, Tree

MAX_SAMPLES = 50_000
PATIENCE = 3


@register
class DistillTrees(FloatPass, frozen=True, tag="distill_trees"):
    """Replace the forest by the smallest number of shallow trees that keeps the accuracy.

    Attributes:
        depth: Maximum depth of the new trees.
        max_trees: Maximum number of new trees. If they do not keep the accuracy, the forest stays unchanged.
        learning_rate: Share of the remaining error that each tree corrects.
        mixtures: Synthetic samples for each training sample.
        share: Share of ``max_drop`` that the accuracy may drop by after this pass; 0 leaves the pass out.
    """

    stage: ClassVar = Stage.TRAIN
    domain: ClassVar = Domain.FOREST
    safer_values: ClassVar = {"share": min}

    depth: Annotated[int, Meta(ge=1, le=20)] = 8
    max_trees: Count = 100
    learning_rate: Ratio = 0.3
    mixtures: Annotated[int, Meta(ge=0, le=100)] = 3
    share: Share = 0.5

    def summary(self) -> str | None:
        """Return ``distilled trees`` and the share of the accuracy drop."""
        return share_in_words("distilled trees", self.share)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the smallest distilled forest that keeps the accuracy.

        Args:
            model: A forest.
            context: Training samples, samples to measure accuracy on, the allowed accuracy drop and the
                seed.

        Returns:
            The distilled forest; the given one with a note if none is smaller and keeps the accuracy.
        """
        from tflite_compress.passes.algorithms.forest_score import forest_scorer, network_of, with_forest
        from tflite_compress.trees.mixtures import add_mixtures
        from tflite_compress.trees.subtrees import estimate_bytes, find_subtrees

        if not self.share:
            return model
        network, scorer = network_of(model), forest_scorer(context)
        teacher = network.forest
        samples = context.reference.splits.train.inputs[0]
        x = add_mixtures(samples, self.mixtures, context.seed, MAX_SAMPLES)
        missing = teacher.predict_raw(x)
        student = replace(teacher, trees=(), scale=1.0, base=missing.mean(axis=0), grid=None, leaf_step=None)
        missing = missing - student.base
        most = estimate_bytes(find_subtrees(teacher))
        good: list[Forest] = []  # several in a row must keep the accuracy: a single one may do so by chance
        with context.progress.step("distilling", self.max_trees) as advance:
            for number in range(self.max_trees):
                tree = _fitted(x, missing, self, context.seed + number)
                student = student.with_trees((*student.trees, tree))
                missing = missing - student.with_trees((tree,)).tree_values(x)[:, 0]
                advance(1)
                if estimate_bytes(find_subtrees(student)) >= most:
                    return model.noting(
                        Note(
                            "pass-left-out",
                            f"not distilled: {number + 1} trees of depth {self.depth} are no smaller",
                        )
                    )
                good = [*good, student] if scorer.drop_of(student) <= scorer.allowed_drop(self.share) else []
                if len(good) == PATIENCE:
                    return with_forest(model, good[0])
        return model.noting(
            Note(
                "pass-left-out",
                f"not distilled: {len(student.trees)} trees of depth {self.depth} drop the accuracy too much",
            )
        )


def _fitted(x: np.ndarray, wanted: np.ndarray, config: DistillTrees, seed: int) -> Tree:
    try:
        from sklearn.tree import DecisionTreeRegressor
    except ImportError as error:
        raise ModelError(
            f"distilling needs scikit-learn, which is not installed ({error})",
            "pip install 'tflite-compress[trees]', or choose another recipe.",
        ) from error
    grown = DecisionTreeRegressor(
        max_depth=config.depth, max_features=0.5, min_samples_leaf=3, random_state=seed
    )
    grown.fit(x, wanted * config.learning_rate)
    return _tree(grown)


def _tree(grown: object) -> Tree:
    """Return a fitted regression tree as a tree with all outputs in each leaf."""
    from tflite_compress.trees.from_sklearn import read_tree

    return read_tree(grown.tree_, grown.n_features_in_)  # type: ignore[attr-defined]

"""Store equal subtrees of a forest once; see ``trees.merge``."""

from __future__ import annotations

from typing import ClassVar

from tflite_compress.passes.base import Context, Domain, FloatPass, Stage, register
from tflite_compress.passes.values import FloatModel


@register
class MergeSubtrees(FloatPass, frozen=True, tag="merge_subtrees"):
    """Store equal subtrees once and remove splits that separate no samples. Outputs do not change."""

    stage: ClassVar = Stage.QUANTIZE
    domain: ClassVar = Domain.FOREST

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the forest with shared subtrees.

        Args:
            model: A forest.
            context: Progress of the run.
        """
        from tflite_compress.passes.algorithms.forest_score import network_of, with_forest
        from tflite_compress.trees.merge import merge_subtrees

        with context.progress.step("merging equal subtrees"):
            return with_forest(model, merge_subtrees(network_of(model).forest))

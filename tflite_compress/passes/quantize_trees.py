"""Quantize thresholds and leaves of a forest to int8 or int16; see ``trees.quantize``."""

from __future__ import annotations

from typing import ClassVar, Literal

from tflite_compress.passes.base import Context, Domain, FloatPass, Stage, register
from tflite_compress.passes.setting_bounds import Share
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.notes import Note


@register
class QuantizeTrees(FloatPass, frozen=True, tag="quantize_trees"):
    """Quantize thresholds with one scale per feature, and leaves with one scale.

    Attributes:
        precision: Type of thresholds and leaves. If the accuracy drops too much, a wider type is used.
            ``float32`` leaves them unchanged.
        share: Share of ``max_drop`` that the accuracy may drop by after this pass.
    """

    stage: ClassVar = Stage.QUANTIZE
    domain: ClassVar = Domain.FOREST
    safer_values: ClassVar = {"share": min}

    precision: Literal["int8", "int16", "float32"] = "int8"
    share: Share = 1.0

    def summary(self) -> str:
        """Return the type of the tables."""
        return f"{self.precision} tables"

    @property
    def needs_calibration(self) -> bool:
        """True if the ranges of features are measured on samples."""
        return self.precision != "float32"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the forest with the narrowest type that keeps the accuracy, from ``precision`` on.

        Args:
            model: A forest.
            context: Samples to measure ranges and accuracy on, and the allowed accuracy drop.
        """
        from tflite_compress.passes.algorithms.forest_score import forest_scorer, network_of, with_forest
        from tflite_compress.trees.quantize import feature_ranges, quantize_forest

        forest, scorer = network_of(model).forest, forest_scorer(context)
        if self.precision == "float32":
            return model
        splits = context.reference.splits
        ranges = feature_ranges([splits.train.inputs[0], splits.calibrate.inputs[0]])
        wider: tuple[Literal["int8", "int16"], ...] = (
            ("int8", "int16") if self.precision == "int8" else ("int16",)
        )
        for precision in wider:
            candidate = quantize_forest(forest, ranges, precision)
            lost = scorer.drop_of(candidate)
            if lost <= scorer.allowed_drop(self.share):
                if precision == self.precision:
                    return with_forest(model, candidate)
                text = f"thresholds and leaves are {precision}: {self.precision} drops the accuracy too much"
                return with_forest(model, candidate, Note("wider-type-chosen", text))
        drop = context.reference.metrics[0].drop_in_words(lost)
        text = f"thresholds and leaves stay float32: with {wider[-1]} the accuracy drop is {drop}"
        return model.noting(Note("pass-left-out", text))

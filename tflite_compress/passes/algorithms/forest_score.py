"""How much a changed forest loses on the samples that passes choose by.

These are never the samples of the verdict: see ``trees.record.with_choosing_samples``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.passes.base import Context, Model
from tflite_compress.scoring.reference import Reference
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.forest_network import ForestNetwork


@dataclass(frozen=True, eq=False)
class Judge:
    """Scores forests on the samples that passes choose by.

    Attributes:
        context: The run's.
        x: Those samples, float32 (samples, features).
    """

    context: Context
    x: np.ndarray

    def loss_of(self, forest: Forest) -> float:
        """Accuracy lost by a forest; see ``Reference.drop_of``."""
        return self.loss_of_predictions(forest.predict(self.x))

    def loss_of_predictions(self, predictions: np.ndarray) -> float:
        """Accuracy lost by predictions, shape (samples, outputs)."""
        reference: Reference = self.context.once("trees: choosing", self._reference)
        return reference.drop_of(reference.score_of((predictions.astype(np.float32),)))

    def budget(self, share: float) -> float:
        """What a pass may lose in all, with those before it."""
        return share * self.context.max_drop

    def _reference(self) -> Reference:
        reference = self.context.reference
        splits = replace(reference.splits, evaluate=reference.splits.calibrate)
        return replace(reference, splits=splits)


def judge_of(context: Context) -> Judge:
    """The judge of a run."""
    return Judge(context, context.reference.splits.calibrate.inputs[0])


def network_of(model: Model) -> ForestNetwork:
    """The forest of a model in the making."""
    assert isinstance(model.network, ForestNetwork)
    return model.network


def with_forest(model: Model, forest: Forest, *notes: str) -> Model:
    """The model with another forest."""
    return replace(model, network=network_of(model).changed(forest)).noting(*notes)

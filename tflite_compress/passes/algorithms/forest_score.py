"""Score a changed forest on the samples held out for choosing settings.

These are never the samples of the final score: see ``trees.forest_report.with_choosing_samples``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.passes.base import Context
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.notes import Note
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.forest_network import ForestNetwork


@dataclass(frozen=True, eq=False)
class ForestScorer:
    """Scores forests on the samples held out for choosing settings.

    Attributes:
        context: Context of the run.
        x: The samples, float32 (samples, features).
    """

    context: Context
    x: np.ndarray

    def drop_of(self, forest: Forest) -> float:
        """Return the accuracy drop of a forest; see ``Reference.drop_of``."""
        return self.drop_of_predictions(forest.predict(self.x))

    def drop_of_predictions(self, predictions: np.ndarray) -> float:
        """Return the accuracy drop of predictions, shape (samples, outputs)."""
        reference = self.context.reference.on_calibration
        return reference.drop_of(reference.score_of((predictions.astype(np.float32),)))

    def allowed_drop(self, share: float) -> float:
        """Return the accuracy drop allowed after a pass: its share of ``max_drop``."""
        return share * self.context.max_drop


def forest_scorer(context: Context) -> ForestScorer:
    """Return the scorer of a run."""
    return ForestScorer(context, context.reference.splits.calibrate.inputs[0])


def network_of(model: FloatModel) -> ForestNetwork:
    """Return the model's network as a forest."""
    if not isinstance(model.network, ForestNetwork):
        raise TypeError(f"passes for trees do not change the network '{model.network.name}'")
    return model.network


def with_forest(model: FloatModel, forest: Forest, *notes: Note) -> FloatModel:
    """Return the model with another forest."""
    return replace(model, network=network_of(model).with_forest(forest)).noting(*notes)

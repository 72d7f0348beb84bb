"""A forest in the place of a network: what passes, scores and reports ask of one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite_compress.models.network import Network, TensorSpec, safe_name
from tflite_compress.models.source import Source
from tflite_compress.support.file_manifest import hash_path
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.load_forest import Predict, load_forest

INPUT = "features"


@dataclass(frozen=True)
class ForestNetwork(Network):
    """A forest with one input of samples and one output of probabilities or a number.

    Attributes:
        original: The answers of the library that trained it; None once a pass has changed it.
    """

    original: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def forest(self) -> Forest:
        """The forest."""
        return self.handle  # type: ignore[no-any-return]

    def call(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """Run the forest on one array, shape (samples, features)."""
        return self.predict(tuple(np.asarray(x) for x in arrays))

    def predict(
        self, arrays: tuple[np.ndarray, ...], batch_size: int | None = None
    ) -> tuple[np.ndarray, ...]:
        """Answers of the library that trained it, or of the forest: float32 (samples, outputs)."""
        x = arrays[0]
        if self.original is None:
            return (self.forest.predict(x).astype(np.float32),)
        return (_two_columns(self.original(x), self.forest).astype(np.float32),)

    def parameter_count(self) -> int:
        """Thresholds and numbers in leaves."""
        forest = self.forest
        return forest.nodes - forest.leaves + forest.leaves * forest.columns

    def changed(self, forest: Forest) -> ForestNetwork:
        """The same with another forest."""
        return ForestNetwork(self.name, forest, self.inputs, self.outputs, False, self.why_not_editable)


def forest_source(model: Any, trust: bool) -> Source:
    """Load a forest as a model with its origin; see ``trees.load.load_forest``.

    Raises:
        ModelError: The file is missing, damaged, not trusted, or not a forest that can be converted.
    """
    forest, original, kind = load_forest(model, trust)
    if isinstance(model, str | os.PathLike):
        name, origin, digest = Path(model).stem, str(model), hash_path(Path(model))
    else:
        name, origin, digest = type(model).__name__, "<model object>", _digest(forest)
    return Source(
        forest_network(forest, original, name), origin, f"{kind} ({_kind(forest)})", digest, _loss(forest)
    )


def forest_network(forest: Forest, original: Predict | None, name: str) -> ForestNetwork:
    """Describe a forest's input and output."""
    numbered = forest.classes == tuple(range(len(forest.classes)))
    labels = () if numbered else forest.classes
    hint = " This estimator refuses NaN; HistGradientBoosting, XGBoost and LightGBM take it."
    port = TensorSpec(INPUT, (None, forest.features), "float32", nan=not forest.refuses_nan, without_nan=hint)
    output = "probabilities" if forest.task == "classification" else "prediction"
    outputs = (TensorSpec(output, (None, forest.outputs), "float32", labels=labels),)
    return ForestNetwork(safe_name(name), forest, (port,), outputs, False, "a forest has no layers", original)


def _two_columns(found: np.ndarray, forest: Forest) -> np.ndarray:
    """Answers with one column for each output; some libraries give one probability for two classes."""
    found = np.asarray(found, np.float64).reshape(len(found), -1)
    if forest.outputs == 2 and found.shape[1] == 1:
        return np.concatenate([1 - found, found], axis=1)
    if found.shape[1] == 1 and forest.outputs > 1:  # multi:softmax names the class
        return np.asarray(found.astype(np.int64) == np.arange(forest.outputs), np.float64)
    return found


def _loss(forest: Forest) -> str:
    return "sparse_categorical_crossentropy" if forest.task == "classification" else "mean_squared_error"


def _kind(forest: Forest) -> str:
    return f"{len(forest.trees)} trees, {forest.task}"


def _digest(forest: Forest) -> str:
    import hashlib

    digest = hashlib.sha256()
    for array in (*vars(forest.joined[0]).values(), forest.base):
        if isinstance(array, np.ndarray):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

"""A forest with the interface of a network, as passes, scores and reports use it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite_compress.models.network import Network, TensorSpec, safe_name
from tflite_compress.models.source import Source
from tflite_compress.support.file_manifest import hash_path
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.load_forest import Predict, load_forest

INPUT = "features"


@dataclass(frozen=True)
class ForestNetwork(Network):
    """A forest with one input, the samples, and one output: probabilities or predicted values.

    Attributes:
        original: Prediction by the library that trained the forest; None if the library is not installed or a
            pass has changed the forest.
    """

    original: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def forest(self) -> Forest:
        """The forest."""
        return self.handle  # type: ignore[no-any-return]

    def call(self, arrays: tuple[object, ...]) -> tuple[object, ...]:
        """Run the forest on one array, shape (samples, features)."""
        return self.predict(tuple(np.asarray(x) for x in arrays))

    def predict(
        self, arrays: tuple[np.ndarray, ...], batch_size: int | None = None
    ) -> tuple[np.ndarray, ...]:
        """Return predictions of the library that trained the forest, or of the forest, as one array.

        Args:
            arrays: One array of samples, shape (samples, features).
            batch_size: Ignored.

        Returns:
            One array, float32, shape (samples, outputs).
        """
        x = arrays[0]
        if self.original is None:
            return (self.forest.predict(x).astype(np.float32),)
        return (_two_columns(self.original(x), self.forest).astype(np.float32),)

    def parameter_count(self) -> int:
        """Return the number of thresholds and leaf values."""
        forest = self.forest
        return forest.nodes - forest.leaves + forest.leaves * forest.columns

    def with_forest(self, forest: Forest) -> ForestNetwork:
        """Return the network with another forest, without its library's predictions."""
        return ForestNetwork(self.name, forest, self.inputs, self.outputs, False, self.why_not_editable)


def forest_source(model: object, trust: bool) -> Source:
    """Load a forest as a model with its origin.

    Args:
        model: A path, or a model object of scikit-learn, XGBoost or LightGBM.
        trust: Open pickle and joblib files, and skops files with types of other libraries.

    Raises:
        ModelError: The file is missing, damaged, not trusted, or not a supported forest.
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
    """Describe a forest's input and output.

    Args:
        forest: The forest.
        original: Prediction by its library, or None.
        name: Name of the model.
    """
    numbered = forest.classes == tuple(range(len(forest.classes)))
    labels = () if numbered else forest.classes
    hint = " This estimator rejects NaN; HistGradientBoosting, XGBoost and LightGBM accept it."
    features = TensorSpec(
        INPUT, (None, forest.features), "float32", nan=not forest.refuses_nan, without_nan=hint
    )
    output = "probabilities" if forest.task == "classification" else "prediction"
    outputs = (TensorSpec(output, (None, forest.outputs), "float32", labels=labels),)
    return ForestNetwork(
        safe_name(name), forest, (features,), outputs, False, "a forest has no layers", original=original
    )


def _two_columns(found: np.ndarray, forest: Forest) -> np.ndarray:
    """Return predictions with one column per output; some libraries return one column for two classes."""
    found = np.asarray(found, np.float64).reshape(len(found), -1)
    if forest.outputs == 2 and found.shape[1] == 1:
        return np.concatenate([1 - found, found], axis=1)
    if found.shape[1] == 1 and forest.outputs > 1:  # multi:softmax returns the class
        return np.asarray(found.astype(np.int64) == np.arange(forest.outputs), np.float64)
    return found


def _loss(forest: Forest) -> str:
    return "sparse_categorical_crossentropy" if forest.task == "classification" else "mean_squared_error"


def _kind(forest: Forest) -> str:
    return f"{len(forest.trees)} trees, {forest.task}"


def _digest(forest: Forest) -> str:
    digest = hashlib.sha256()
    for array in (*vars(forest.joined[0]).values(), forest.base):
        if isinstance(array, np.ndarray):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

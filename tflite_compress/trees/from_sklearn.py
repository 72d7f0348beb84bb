"""Read scikit-learn's decision trees, forests and gradient boosting as a :class:`Forest`.

Sources: scikit-learn's user guide, 1.10 and 1.11; ``sklearn.tree._tree.Tree`` and
``sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor`` for the tables.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from tflite_compress.support.errors import ModelError
from tflite_compress.trees.forest import (
    LEAF,
    Forest,
    Link,
    Task,
    Tree,
    require_valid_tree,
    round_down_to_float32,
)

Estimator = Any  # a scikit-learn estimator; its attributes depend on its class

_VOTING = ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")
_BOOSTED = "GradientBoosting"
_HISTOGRAM = "HistGradientBoosting"
_LOG_LINKS = ("poisson", "gamma")
SUPPORTED = (
    "decision trees, random forests, extra trees and gradient boosting (histogram too) of scikit-learn, for "
    "classification and regression"
)


class SklearnTree(Protocol):
    """The attributes used of ``sklearn.tree._tree.Tree``."""

    value: np.ndarray
    children_left: np.ndarray
    children_right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    weighted_n_node_samples: np.ndarray


def read_estimator(estimator: Estimator, origin: str) -> Forest:
    """Read a fitted scikit-learn estimator.

    Args:
        estimator: A scikit-learn estimator.
        origin: Its path, for error messages.

    Raises:
        ModelError: The estimator is not fitted, has several outputs, or is not supported.
    """
    kind = type(estimator).__name__.removesuffix("Classifier").removesuffix("Regressor")
    readers: dict[str, Callable[[Estimator, str], Forest]] = {
        **{name: _voting for name in _VOTING},
        _BOOSTED: _boosted,
        _HISTOGRAM: _histogram,
    }
    if kind not in readers:
        raise ModelError(f"{origin}: a {type(estimator).__name__} is not supported", _instead(estimator))
    if not hasattr(estimator, "n_features_in_"):
        raise ModelError(f"{origin}: the {type(estimator).__name__} is not fitted", "Call fit, then save it.")
    if getattr(estimator, "n_outputs_", 1) > 1:
        raise ModelError(
            f"{origin}: predicts {estimator.n_outputs_} outputs", "Train one estimator for each output."
        )
    try:
        return readers[kind](estimator, origin)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{origin}: the {type(estimator).__name__} cannot be read ({error})",
            "Save it again with the scikit-learn that is installed here.",
        ) from error


def make_predictor(estimator: Estimator) -> Callable[[np.ndarray], np.ndarray]:
    """Return the estimator's prediction function: float64, shape (samples, classes) or (samples, 1)."""

    def predict(x: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the names of columns, which arrays lack
            if hasattr(estimator, "predict_proba"):
                return np.asarray(estimator.predict_proba(x), np.float64)
            return np.asarray(estimator.predict(x), np.float64).reshape(len(x), 1)

    return predict


def _instead(estimator: object) -> str:
    name = type(estimator).__name__
    if name == "Pipeline":
        return "Save its last step alone; what comes before it goes into --preprocess=module:function."
    if "SearchCV" in name:
        return "Save its best_estimator_."
    return f"Supported are {SUPPORTED}."


def _classes(estimator: object) -> tuple[object, ...]:
    return tuple(np.asarray(getattr(estimator, "classes_", ())).tolist())


def _voting(estimator: Estimator, origin: str) -> Forest:
    members = getattr(estimator, "estimators_", [estimator])
    classes = _classes(estimator)
    features = int(estimator.n_features_in_)
    trees = tuple(read_tree(member.tree_, features, bool(classes)) for member in members)
    return Forest(
        trees,
        int(estimator.n_features_in_),
        "classification" if classes else "regression",
        1 / len(trees),
        np.zeros(trees[0].value.shape[1]),
        classes=classes,
        refuses_nan=_refuses_nan(estimator),
    )


def _refuses_nan(estimator: Estimator) -> bool:
    """Return True if the estimator rejects NaN, which depends on its class, version and training data."""
    probe = np.full((1, estimator.n_features_in_), np.nan, np.float32)
    try:
        make_predictor(estimator)(probe)
    except ValueError:
        return True
    return False


def read_tree(table: SklearnTree, features: int, normalize: bool = False) -> Tree:
    """Read a ``sklearn.tree._tree.Tree`` of one output, or of several that share their splits.

    Args:
        table: The tree.
        features: Columns of a sample.
        normalize: Scale the values of each leaf to a sum of 1.

    Raises:
        ValueError: The tree is damaged.
    """
    values = np.asarray(table.value, np.float64)
    values = values[:, 0, :] if values.shape[1] == 1 else values[:, :, 0]
    if normalize:
        values = values / values.sum(axis=1, keepdims=True)
    leaf = table.children_left == LEAF
    missing_left = np.asarray(getattr(table, "missing_go_to_left", np.ones(len(leaf))), bool)
    tree = Tree(
        np.where(leaf, 0, table.feature).astype(np.int32),
        np.where(leaf, np.float32(0), round_down_to_float32(table.threshold)),
        np.asarray(table.children_left, np.int32),
        np.asarray(table.children_right, np.int32),
        ~missing_left,
        values,
        np.asarray(table.weighted_n_node_samples, np.float64),
    )
    return require_valid_tree(tree, features).trim()


def _boosted(estimator: Estimator, origin: str) -> Forest:
    classes = _classes(estimator)
    width = estimator.estimators_.shape[1]
    features = int(estimator.n_features_in_)
    trees = []
    for round_ in estimator.estimators_:
        for column, member in enumerate(round_):
            tree = read_tree(member.tree_, features)
            trees.append(_in_column(tree, column, width))
    factor = 2.0 if estimator.loss == "exponential" else 1.0  # predict_proba: expit(2 * score)
    link: Link = "identity" if not classes else ("softmax" if width > 1 else "sigmoid")
    start = _start(estimator, origin)
    return Forest(
        tuple(trees),
        int(estimator.n_features_in_),
        "classification" if classes else "regression",
        float(estimator.learning_rate) * factor,
        start * factor,
        link,
        classes,
        refuses_nan=_refuses_nan(estimator),
    )


def _start(estimator: Estimator, origin: str) -> np.ndarray:
    """Return the constant that boosting starts from; a model as a start is not supported."""
    own = estimator.init_ != "zero" and type(estimator.init_).__name__ not in (
        "DummyClassifier",
        "DummyRegressor",
    )
    if own:
        raise ModelError(
            f"{origin}: boosting starts from a {type(estimator.init_).__name__}",
            "Train it without init, or with init='zero'.",
        )
    first = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32))
    return np.asarray(first, np.float64).reshape(-1)


def _in_column(tree: Tree, column: int, width: int) -> Tree:
    """Return the tree with its values in one of ``width`` columns."""
    values = np.zeros((len(tree.value), width))
    values[:, column] = tree.value[:, 0]
    return replace(tree, value=values)


def _histogram(estimator: Estimator, origin: str) -> Forest:
    if getattr(estimator, "is_categorical_", None) is not None and np.any(estimator.is_categorical_):
        raise ModelError(
            f"{origin}: has categorical splits, which are not supported",
            "Train on one-hot or ordinal columns instead.",
        )
    classes = _classes(estimator)
    width = estimator.n_trees_per_iteration_
    features = int(estimator.n_features_in_)
    trees = tuple(
        _in_column(_histogram_tree(predictor.nodes, features), column, width)
        for round_ in estimator._predictors
        for column, predictor in enumerate(round_)
    )
    link: Link = "identity"
    if classes:
        link = "softmax" if width > 1 else "sigmoid"
    elif estimator.loss in _LOG_LINKS:
        link = "exp"
    base = np.asarray(estimator._baseline_prediction, np.float64).reshape(-1)
    task: Task = "classification" if classes else "regression"
    return Forest(trees, int(estimator.n_features_in_), task, 1.0, base, link, classes)


def _histogram_tree(nodes: np.ndarray, features: int) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    tree = Tree(
        np.where(leaf, 0, nodes["feature_idx"]).astype(np.int32),
        np.where(leaf, np.float32(0), round_down_to_float32(nodes["num_threshold"])),
        np.where(leaf, LEAF, nodes["left"].astype(np.int64)).astype(np.int32),
        np.where(leaf, LEAF, nodes["right"].astype(np.int64)).astype(np.int32),
        ~nodes["missing_go_to_left"].astype(bool),
        nodes["value"].astype(np.float64)[:, np.newaxis],
        nodes["count"].astype(np.float64),
    )
    return require_valid_tree(tree, features).trim()

"""Read XGBoost's JSON files as a :class:`Forest`, without XGBoost.

Source: XGBoost documentation, "Introduction to Model IO" with its JSON schema (doc/model.schema).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note
from tflite_compress.trees.forest import (
    LEAF,
    MAX_FEATURES,
    Forest,
    Link,
    Task,
    Tree,
    next_below_float32,
    require_valid_tree,
)

XGBoostFile = dict[str, Any]  # a JSON object of the file; doc/model.schema describes its members

_IDENTITY = ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "rank:")
_LOGISTIC = ("binary:logistic", "reg:logistic")
_LOG = ("count:poisson", "reg:gamma", "reg:tweedie")
_SOFTMAX = ("multi:softprob", "multi:softmax")


def read_xgboost(model: XGBoostFile, origin: str) -> Forest:
    """Read the parsed JSON of an XGBoost model file.

    Args:
        model: The JSON object.
        origin: Its path, for error messages.

    Raises:
        ModelError: The file is damaged, or has categorical splits, several targets or an unsupported
            objective.
    """
    try:
        return _read(model, origin)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{origin}: not a complete XGBoost model ({type(error).__name__}: {error})",
            "Save it again with model.save_model('model.json').",
        ) from error


def _read(model: XGBoostFile, origin: str) -> Forest:
    learner = model["learner"]
    booster, settings = learner["gradient_booster"], learner["learner_model_param"]
    if booster["name"] not in ("gbtree", "dart"):
        raise ModelError(f"{origin}: booster '{booster['name']}' has no trees", "Use booster='gbtree'.")
    weights = booster.get("weight_drop")
    grown = (booster["gbtree"] if booster["name"] == "dart" else booster)["model"]
    if int(settings.get("num_target", "1")) > 1:
        raise ModelError(f"{origin}: predicts several targets", "Train one model for each target.")
    classes = int(settings["num_class"])
    width = max(1, classes)
    objective = str(learner["objective"]["name"])
    link, task = _link(objective, origin)
    kept = _rounds_kept(learner, grown)
    factors = [1.0] * kept if weights is None else [float(w) for w in weights[:kept]]
    places = [int(column) for column in grown["tree_info"][:kept]]
    features = int(settings["num_feature"])
    if not 0 < features <= MAX_FEATURES:
        raise ValueError(f"it claims {features:,} columns")
    trees = tuple(
        _tree(tree, column, width, factor, features, origin)
        for tree, column, factor in zip(grown["trees"][:kept], places, factors, strict=True)
    )
    labels = tuple(range(classes or 2)) if task == "classification" else ()
    left_out = len(grown["trees"]) - kept
    text = f"the last {left_out} trees are not used: early stopping found a better iteration before them"
    notes = (Note("trees-after-best-iteration", text),) if left_out else ()
    base = _base(str(settings["base_score"]), width, link)
    return Forest(trees, features, task, 1.0, base, link, labels, notes=notes)


def _link(objective: str, origin: str) -> tuple[Link, Task]:
    if objective in _SOFTMAX:
        return "softmax", "classification"
    if objective == "binary:logistic":
        return "sigmoid", "classification"
    if objective.startswith(_LOG):
        return "exp", "regression"
    if objective.startswith(_IDENTITY):
        return "identity", "regression"
    raise ModelError(
        f"{origin}: objective '{objective}' is not supported",
        f"Supported are {', '.join((*_SOFTMAX, 'binary:logistic', *_LOG, *_IDENTITY))}*.",
    )


def _base(text: str, width: int, link: Link) -> np.ndarray:
    """Return the base before the link, shape (width,); files store it after the link."""
    values = np.atleast_1d(np.asarray(json.loads(text), np.float64))
    if link == "sigmoid":
        values = np.log(values / (1 - values))
    if link == "exp":
        values = np.log(values)
    return np.broadcast_to(values, (width,)).astype(np.float64)


def _rounds_kept(learner: XGBoostFile, grown: XGBoostFile) -> int:
    """Return the number of trees that predictions use: up to the best iteration after early stopping."""
    best = learner.get("attributes", {}).get("best_iteration")
    count = len(grown["trees"])
    if best is None:
        return count
    starts = grown.get("iteration_indptr")
    if starts is None:
        return count
    return min(count, int(starts[int(best) + 1]))


def _tree(table: XGBoostFile, column: int, width: int, factor: float, features: int, origin: str) -> Tree:
    left, right = (np.asarray(table[key], np.int32) for key in ("left_children", "right_children"))
    if any(table.get("split_type", [])) or table.get("categories"):
        raise ModelError(f"{origin}: has categorical splits", "Train on one-hot or ordinal columns instead.")
    if int(table["tree_param"].get("size_leaf_vector", "1")) > 1:
        raise ModelError(
            f"{origin}: its trees have several outputs", "Use multi_strategy='one_output_per_tree'."
        )
    leaf = left == LEAF
    conditions = np.asarray(table["split_conditions"], np.float32)
    feature = np.where(leaf, 0, np.asarray(table["split_indices"], np.int32))
    if not len(left) == len(right) == len(conditions):
        raise ValueError("tables of a tree differ in length")
    values = np.zeros((len(leaf), width))
    values[leaf, column] = conditions[leaf].astype(np.float64) * factor
    tree = Tree(
        feature.astype(np.int32),
        np.where(leaf, np.float32(0), next_below_float32(conditions)),
        left,
        right,
        np.asarray(table["default_left"], np.int32) == 0,
        values,
        np.asarray(table["sum_hessian"], np.float64),
    )
    return require_valid_tree(tree, features).trim()

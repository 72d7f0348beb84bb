"""Read LightGBM's text files as a :class:`Forest`, without LightGBM.

Source: LightGBM, ``GBDT::SaveModelToString`` and ``Tree::ToString`` (github.com/microsoft/LightGBM).
"""

from __future__ import annotations

import numpy as np

from tflite_compress.support.errors import ModelError
from tflite_compress.trees.forest import (
    LEAF,
    MAX_FEATURES,
    Forest,
    Link,
    Task,
    Tree,
    require_valid_tree,
    round_down_to_float32,
)

_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # bits of decision_type; the next two are the kind of missing value
_MISSING_IS_ZERO, _MISSING_IS_NAN = 1, 2
_IDENTITY = (
    *("regression", "regression_l1", "huber", "fair", "quantile", "mape"),
    *("lambdarank", "rank_xendcg"),
)
_LOG = ("poisson", "gamma", "tweedie")
_SAVE_AGAIN = "Save it again with booster.save_model('model.txt')."


def read_lightgbm(text: str, origin: str) -> Forest:
    """Read the text of a LightGBM model file.

    Args:
        text: Content of the file.
        origin: Its path, for error messages.

    Raises:
        ModelError: The file is damaged, or has categorical splits, linear leaves or an unsupported objective.
    """
    try:
        return _read(text, origin)
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"{origin}: not a complete LightGBM model ({type(error).__name__}: {error})", _SAVE_AGAIN
        ) from error


def _read(text: str, origin: str) -> Forest:
    body, ending, _ = text.partition("end of trees")
    if not ending:
        raise ValueError("it is cut off")
    head, *parts = body.split("\nTree=")
    settings = _pairs(head)
    width = int(settings["num_tree_per_iteration"])
    features = int(settings["max_feature_idx"]) + 1
    if not 0 < features <= MAX_FEATURES or width < 1:
        raise ValueError(f"it claims {features:,} columns and {width} trees per round")
    words = settings.get("objective", "regression").split()
    link, task, factor = _link(words, origin)
    trees = tuple(
        _tree(_pairs(part), number % width, width, features, origin) for number, part in enumerate(parts)
    )
    if not trees:
        raise ValueError("it has no trees")
    averaged = "average_output" in head.split()
    classes = tuple(range(max(2, width))) if task == "classification" else ()
    scale = factor / (len(trees) // width if averaged else 1)
    return Forest(trees, features, task, scale, np.zeros(width), link, classes)


def _pairs(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _link(words: list[str], origin: str) -> tuple[Link, Task, float]:
    """Return the link function, the task, and the factor of the sum."""
    name, rest = words[0], words[1:]
    if name == "multiclass":
        return "softmax", "classification", 1.0
    if name == "binary":
        slope = next((float(w.partition(":")[2]) for w in rest if w.startswith("sigmoid:")), 1.0)
        return "sigmoid", "classification", slope
    if name in _LOG:
        return "exp", "regression", 1.0
    if name in _IDENTITY and "sqrt" not in rest:
        return "identity", "regression", 1.0
    shown = " ".join(words)
    known = ", ".join(("binary", "multiclass", *_LOG, *_IDENTITY))
    raise ModelError(f"{origin}: objective '{shown}' is not supported", f"Supported are {known}.")


def _tree(table: dict[str, str], column: int, width: int, features: int, origin: str) -> Tree:
    if int(table.get("num_cat", "0")) > 0:
        raise ModelError(f"{origin}: has categorical splits", "Train on one-hot or ordinal columns instead.")
    if table.get("is_linear", "0") != "0":
        raise ModelError(f"{origin}: has linear functions in its leaves", "Train with linear_tree=false.")
    leaves = int(table["num_leaves"])
    splits = leaves - 1
    kinds = _numbers(table, "decision_type", splits).astype(np.int64)
    if (kinds & _CATEGORICAL).any():
        raise ModelError(f"{origin}: has categorical splits", "Train on one-hot or ordinal columns instead.")
    missing = (kinds >> 2) & 3
    if (missing == _MISSING_IS_ZERO).any():
        raise ModelError(f"{origin}: treats zeros as missing values", "Train with zero_as_missing=false.")
    thresholds = _numbers(table, "threshold", splits)
    # LightGBM replaces NaN by 0 if the training data had no missing values.
    right = np.where(missing == _MISSING_IS_NAN, (kinds & _DEFAULT_LEFT) == 0, thresholds < 0)
    feature = _numbers(table, "split_feature", splits).astype(np.int32)
    values = np.zeros((splits + leaves, width))
    values[splits:, column] = _numbers(table, "leaf_value", leaves)
    none = np.zeros(leaves)
    counts = _numbers(table, "internal_count", splits), _numbers(table, "leaf_count", leaves, 1.0)
    tree = Tree(
        np.concatenate([feature, none]).astype(np.int32),
        np.concatenate([round_down_to_float32(thresholds), none]).astype(np.float32),
        _children(table, "left_child", splits, leaves),
        _children(table, "right_child", splits, leaves),
        np.concatenate([right, none.astype(bool)]),
        values,
        np.concatenate(counts),
    )
    return require_valid_tree(tree, features).trim()


def _numbers(table: dict[str, str], key: str, count: int, missing: float | None = None) -> np.ndarray:
    """Return a row of numbers of a tree. A tree of one leaf has no rows for splits."""
    if not count:
        return np.zeros(0)
    if missing is not None and not table.get(key, "").strip():
        return np.full(count, missing)
    found = np.array(table[key].split(), np.float64)
    if len(found) != count:
        raise ValueError(f"{key} has {len(found)} numbers instead of {count}")
    return found


def _children(table: dict[str, str], key: str, splits: int, leaves: int) -> np.ndarray:
    """Return the indices of children: splits come first, leaf ``n`` is stored as ``-1 - n``."""
    written = _numbers(table, key, splits).astype(np.int64)
    found = np.where(written < 0, splits - 1 - written, written)
    return np.concatenate([found, np.full(leaves, LEAF)]).astype(np.int32)

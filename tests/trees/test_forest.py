import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.trees.conftest import FittedModel, fitted
from tflite_compress.trees.forest import next_below_float32, require_valid_tree, round_down_to_float32
from tflite_compress.trees.load_forest import load_forest


def test_thresholds_keep_every_comparison() -> None:
    rng = np.random.default_rng(0)
    thresholds = np.concatenate([rng.normal(size=1000), rng.normal(size=1000).astype(np.float32)])
    x = np.concatenate([thresholds.astype(np.float32), rng.normal(size=2000).astype(np.float32)])
    narrow = round_down_to_float32(thresholds)
    for t, n in zip(thresholds, narrow, strict=True):
        assert np.array_equal(x.astype(np.float64) <= t, x <= n)
    for t in narrow[:200]:
        assert np.array_equal(x < t, x <= next_below_float32(np.array([t]))[0])


def test_predictions_equal_those_of_the_library(every_model: FittedModel) -> None:
    name, estimator, x = every_model
    forest, original, _ = load_forest(estimator, trust=False)
    assert original is not None
    wanted = np.asarray(original(x)).reshape(len(x), -1)
    found = forest.predict(x)
    if wanted.shape[1] < found.shape[1]:
        found = found[:, 1:]
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5, err_msg=name)


def test_columns_of_classes_follow_the_estimator() -> None:
    x, y = np.eye(3, dtype=np.float32).repeat(5, axis=0), np.array(["b", "c", "a"]).repeat(5)
    from sklearn.tree import DecisionTreeClassifier

    forest, _, _ = load_forest(DecisionTreeClassifier().fit(x, y), trust=False)
    assert forest.classes == ("a", "b", "c")
    assert [forest.classes[i] for i in forest.predict(np.eye(3)).argmax(axis=1)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"left": 9999}, "not in the tree"),
        ({"left": 0}, "not in the tree"),
        ({"right": 1}, "share a child"),
        ({"feature": 64}, "column"),
        ({"threshold": np.nan}, "finite"),
    ],
)
def test_a_damaged_tree_is_refused(change: dict[str, Any], complaint: str) -> None:
    tree = load_forest(fitted("tree")[0], trust=False)[0].trees[0]
    require_valid_tree(tree, 64)
    arrays = {key: getattr(tree, key).copy() for key in change}
    for key, value in change.items():
        arrays[key][0] = value
    with pytest.raises(ValueError, match=complaint):
        require_valid_tree(dataclasses.replace(tree, **arrays), 64)

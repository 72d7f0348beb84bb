from dataclasses import replace

import numpy as np

from tests.trees.conftest import FittedModel, fitted
from tflite_compress.trees.load_forest import load_forest
from tflite_compress.trees.merge import limit_to_ranges, merge_subtrees
from tflite_compress.trees.quantize import feature_ranges, quantize_forest
from tflite_compress.trees.subtrees import find_subtrees


def test_merging_changes_no_prediction(every_model: FittedModel) -> None:
    name, estimator, x = every_model
    forest = load_forest(estimator, trust=False)[0]
    np.testing.assert_array_equal(merge_subtrees(forest).predict_raw(x), forest.predict_raw(x), err_msg=name)
    small = quantize_forest(forest, feature_ranges([x]), "int8")
    np.testing.assert_array_equal(merge_subtrees(small).predict_raw(x), small.predict_raw(x))
    assert merge_subtrees(small).nodes <= small.nodes


def test_equal_subtrees_are_stored_once() -> None:
    estimator, x = fitted("forest")
    forest = load_forest(estimator, trust=False)[0]
    twice = replace(forest, trees=forest.trees * 2, scale=forest.scale / 2)
    plain, shared = find_subtrees(twice), find_subtrees(merge_subtrees(twice))
    assert len(shared.feature) <= len(plain.feature) // 2
    assert len(set(shared.roots.tolist())) <= len(forest.trees)
    np.testing.assert_allclose(twice.predict_raw(x), forest.predict_raw(x))


def test_splits_outside_the_range_of_samples_are_removed() -> None:
    estimator, x = fitted("forest regression")
    forest = load_forest(estimator, trust=False)[0]
    few = x[:40]
    narrowed = limit_to_ranges(forest, few.min(axis=0).astype(float), few.max(axis=0).astype(float))
    assert narrowed.nodes < forest.nodes
    np.testing.assert_array_equal(narrowed.predict_raw(few), forest.predict_raw(few))

from dataclasses import replace

import numpy as np

from tests.trees.conftest import fitted
from tflite_compress.trees.load_forest import load_forest
from tflite_compress.trees.merge import merged, within
from tflite_compress.trees.quantize import feature_ranges, quantized
from tflite_compress.trees.subtrees import subtrees


def test_no_answer_changes(every_model: tuple) -> None:
    name, estimator, x = every_model
    forest = load_forest(estimator, trust=False)[0]
    np.testing.assert_array_equal(merged(forest).raw(x), forest.raw(x), err_msg=name)
    small = quantized(forest, feature_ranges([x]), "int8")
    np.testing.assert_array_equal(merged(small).raw(x), small.raw(x))
    assert merged(small).nodes <= small.nodes


def test_equal_subtrees_are_stored_once() -> None:
    estimator, x = fitted("forest")
    forest = load_forest(estimator, trust=False)[0]
    twice = replace(forest, trees=forest.trees * 2, scale=forest.scale / 2)
    plain, shared = subtrees(twice), subtrees(merged(twice))
    assert len(shared.feature) <= len(plain.feature) // 2
    assert len(set(shared.roots.tolist())) <= len(forest.trees)
    np.testing.assert_allclose(twice.raw(x), forest.raw(x))


def test_splits_outside_the_range_of_samples_go() -> None:
    estimator, x = fitted("forest regression")
    forest = load_forest(estimator, trust=False)[0]
    few = x[:40]
    narrowed = within(forest, few.min(axis=0).astype(float), few.max(axis=0).astype(float))
    assert narrowed.nodes < forest.nodes
    np.testing.assert_array_equal(narrowed.raw(few), forest.raw(few))

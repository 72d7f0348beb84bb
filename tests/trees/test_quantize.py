import numpy as np
import pytest

from tests.trees.conftest import fitted
from tflite_compress.trees.forest import Precision
from tflite_compress.trees.load_forest import load_forest
from tflite_compress.trees.quantize import feature_ranges, quantize_forest


def test_thresholds_between_integers_are_quantized_exactly() -> None:
    estimator, x = fitted("forest")  # digits: pixels 0 to 16
    forest = load_forest(estimator, trust=False)[0]
    small = quantize_forest(forest, feature_ranges([x]), "int8")
    assert np.array_equal(small.find_leaves(x).shape, forest.find_leaves(x).shape)
    np.testing.assert_allclose(small.predict(x), forest.predict(x), atol=1 / 127)


@pytest.mark.parametrize(("precision", "limit"), [("int8", 0.003), ("int16", 1e-5)])
def test_quantized_values_are_integers_with_small_errors(precision: Precision, limit: float) -> None:
    estimator, x = fitted("extra trees")
    forest = load_forest(estimator, trust=False)[0]
    small = quantize_forest(forest, feature_ranges([x]), precision)
    info = np.iinfo(precision)
    for tree in small.trees:
        split = ~tree.is_leaf
        assert np.array_equal(tree.threshold[split], np.rint(tree.threshold[split]))
        assert tree.threshold[split].min() > info.min and tree.threshold[split].max() < info.max
        assert (
            np.array_equal(tree.value, np.rint(tree.value)) and np.abs(tree.value[~split]).max() <= info.max
        )
    off = np.abs(small.predict(x) - forest.predict(x)).mean()
    assert off < limit * np.ptp(forest.predict(x))


def test_missing_values_go_the_same_way() -> None:
    for name in ("forest nan", "xgboost nan", "histogram nan", "lightgbm nan"):
        estimator, x = fitted(name)
        forest = load_forest(estimator, trust=False)[0]
        alone = np.full((1, x.shape[1]), np.nan, np.float32)
        small = quantize_forest(forest, feature_ranges([x]), "int16")
        np.testing.assert_allclose(small.predict(alone), forest.predict(alone), atol=1e-3)

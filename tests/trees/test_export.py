from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.needs import slow
from tests.trees.conftest import FittedModel, fitted
from tflite_compress.runtimes.litert import LiteRTModel, predict
from tflite_compress.runtimes.tflm_runtime import run_micro
from tflite_compress.trees.export import MAX_MATRIX_DEPTH, Form, TensorNames, cheaper_form, export_forest
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.load_forest import load_forest
from tflite_compress.trees.merge import merge_subtrees
from tflite_compress.trees.quantize import feature_ranges, quantize_forest

PORTS = TensorNames("features", "out")
SHALLOW = 8


def exported(forest: Forest, micro: bool = False, form: Form = "traversal", batch: int = 1) -> bytes:
    return export_forest(forest, "forest", PORTS, micro, form, True, batch)


def forest_of(name: str) -> tuple[Forest, np.ndarray]:
    estimator, x = fitted(name)
    return load_forest(estimator, trust=False)[0], x


def assert_same(found: np.ndarray, forest: Forest, x: np.ndarray) -> None:
    wanted = forest.predict(x)
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-6)
    if forest.task == "classification":
        assert np.array_equal(found.argmax(axis=1), wanted.argmax(axis=1))


@pytest.mark.parametrize("form", ["traversal", "matrix"])
def test_litert_predicts_what_the_library_predicts(every_model: FittedModel, form: Form) -> None:
    name, estimator, x = every_model
    forest, original, _ = load_forest(estimator, trust=False)
    if form == "matrix" and forest.depth > SHALLOW:
        return  # 2^depth leaves a tree; its own test says that such forests never take this form
    found = predict(exported(forest, form=form), (x,), ("features",), ("out",))[0]
    assert_same(found, forest, x)
    assert original is not None
    wanted = np.asarray(original(x)).reshape(len(x), -1)
    np.testing.assert_allclose(found[:, -wanted.shape[1] :], wanted, rtol=1e-5, atol=2e-6, err_msg=name)


NAMES = ["forest", "boosted", "histogram nan", "xgboost nan", "lightgbm averaged", "forest regression"]


@pytest.mark.parametrize("precision", ["float32", "int8", slow("int16")])
@pytest.mark.parametrize("name", NAMES)
def test_tflite_micro_predicts_what_the_forest_predicts(name: str, precision: Any) -> None:
    forest, x = forest_of(name)
    if precision != "float32":
        forest = merge_subtrees(quantize_forest(forest, feature_ranges([x]), precision))
    few = x[:40]
    forms: list[Form] = ["traversal", "matrix"] if forest.depth <= 6 else ["traversal"]
    for form in forms:
        content = exported(forest, micro=True, form=form)
        outputs = run_micro(content, (few[:, np.newaxis],)).outputs
        assert_same(outputs[0].reshape(len(few), -1), forest, few)
        assert_same(predict(content, (x,), ("features",), ("out",))[0], forest, x)


@pytest.mark.parametrize("form", ["traversal", "matrix"])
@pytest.mark.parametrize("name", ["shallow forest", "boosted", "xgboost nan"])
def test_a_fixed_batch_predicts_what_the_forest_predicts(name: str, form: Form) -> None:
    forest, x = forest_of(name)
    model = LiteRTModel(exported(forest, form=form, batch=16), ("features",), ("out",))
    assert model.batch == 16
    model.set_inputs((x[:16],))
    model.invoke()
    assert_same(model.outputs()[0], forest, x[:16])


def test_quantized_files_predict_what_the_quantized_forest_predicts(every_model: FittedModel) -> None:
    forest = load_forest(every_model[1], trust=False)[0]
    x = every_model[2]
    for precision in ("int8", "int16"):
        small = merge_subtrees(quantize_forest(forest, feature_ranges([x]), precision))
        content = exported(small)
        assert_same(predict(content, (x,), ("features",), ("out",))[0], small, x)


def test_shallow_forests_use_the_matrix_form() -> None:
    shallow, _ = forest_of("shallow forest")
    deep, _ = forest_of("forest")
    assert deep.depth > MAX_MATRIX_DEPTH
    assert cheaper_form(deep, False, 1)[0] == "traversal"
    forms = {cheaper_form(replace(shallow, trees=shallow.trees[:n]), False, 1)[0] for n in (1, 20)}
    assert "matrix" in forms


def test_constant_trees_and_single_leaves() -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeRegressor

    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    for estimator in (
        DecisionTreeRegressor().fit(x, np.full(6, 3.5)),
        RandomForestClassifier(3, max_depth=1, random_state=0).fit(x, [0, 0, 0, 1, 1, 1]),
    ):
        forest = load_forest(estimator, trust=False)[0]
        for micro in (False, True):
            content = exported(merge_subtrees(forest), micro)
            assert_same(predict(content, (x,), ("features",), ("out",))[0], forest, x)

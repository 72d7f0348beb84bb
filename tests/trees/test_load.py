import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_linnerud
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tests.narrow import present
from tests.trees.conftest import FittedModel, data_of, fitted
from tflite_compress.support.errors import ModelError
from tflite_compress.trees.load_forest import is_forest, load_forest


def saved(name: str) -> tuple[Path, np.ndarray, Any]:
    """A model as a file of the format recommended for it, its samples, and the estimator."""
    estimator, x = fitted(name)
    if name.startswith("xgboost"):
        path = Path("model.json")
        estimator.save_model(path)
    elif name.startswith("lightgbm"):
        path = Path("model.txt")
        estimator.booster_.save_model(path)
    else:
        path = Path("model.skops")
        skops.io.dump(estimator, path)
    return path, x, estimator


def test_files_of_every_library(every_model: FittedModel) -> None:
    path, x, estimator = saved(every_model[0])
    assert is_forest(path)
    forest, original, _ = load_forest(path, trust=False)
    alone, _, _ = load_forest(estimator, trust=False)
    assert original is not None
    np.testing.assert_allclose(forest.predict(x), alone.predict(x), rtol=1e-6)


def test_pickles_need_trust_and_run_nothing_before() -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, ("harmed",)

    Path("harm.joblib").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(ModelError, match="runs the code in it"):
        load_forest("harm.joblib", trust=False)
    assert not Path("harmed").exists()
    joblib.dump(fitted("tree")[0], "tree.joblib", compress=3)
    assert is_forest("tree.joblib")
    assert load_forest("tree.joblib", trust=True)[0].depth > 5


def test_skops_with_foreign_types_needs_trust() -> None:
    skops.io.dump(TransformedTargetRegressor(func=os.path.basename, inverse_func=os.path.dirname), "f.skops")
    with pytest.raises(ModelError, match="types that may run code"):
        load_forest("f.skops", trust=False)


def test_trees_after_the_best_iteration_are_not_used() -> None:
    import xgboost

    x, y = data_of("diabetes")
    model = xgboost.XGBRegressor(n_estimators=100, early_stopping_rounds=2)
    model.fit(x[::2], y[::2], eval_set=[(x[1::2], y[1::2])], verbose=False)
    model.save_model("early.json")
    forest, original, _ = load_forest("early.json", trust=False)
    assert len(forest.trees) == model.best_iteration + 1
    assert [note.code for note in forest.notes] == ["trees-after-best-iteration"]
    assert original is not None
    np.testing.assert_allclose(forest.predict(x)[:, 0], original(x), rtol=1e-4)
    np.testing.assert_allclose(forest.predict(x)[:, 0], model.predict(x), rtol=1e-4)


X, Y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 2
REFUSED = {
    "not fitted": RandomForestClassifier(),
    "outputs": DecisionTreeRegressor().fit(*load_linnerud(return_X_y=True)),
    "last step alone": make_pipeline(StandardScaler(), RandomForestClassifier(2)).fit(X, Y),
    "AdaBoostClassifier is not supported": AdaBoostClassifier(n_estimators=2).fit(X, Y),
    "starts from a LinearRegression": GradientBoostingRegressor(init=LinearRegression(), n_estimators=2).fit(
        X, Y
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_unsupported_models_are_named(words: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_forest(REFUSED[words], trust=False)
    assert words in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


def test_categorical_splits_are_refused_for_every_library() -> None:
    import lightgbm
    import xgboost
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 8, 400), rng.normal(size=400)], axis=1)
    y = (x[:, 0] % 2).astype(int)
    histogram = HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]).fit(x, y)
    light = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(x, y, categorical_feature=[0])
    matrix = xgboost.DMatrix(x, y, feature_types=["c", "q"], enable_categorical=True)
    extreme = xgboost.train({"max_cat_to_onehot": 1, "objective": "binary:logistic"}, matrix, 3)
    for model in (histogram, light, extreme):
        with pytest.raises(ModelError, match="categor") as caught:
            load_forest(model, trust=False)
        assert "one-hot" in present(caught.value.hint)


def test_damaged_text_files_are_refused() -> None:
    path = saved("xgboost")[0]
    whole = json.loads(path.read_text())
    rng = np.random.default_rng(0)
    text = path.read_text()
    for _ in range(20):
        Path("cut.json").write_text(text[: rng.integers(1, len(text) - 1)])
        with pytest.raises(ModelError):
            load_forest("cut.json", trust=False)
    for change in ({"left_children": 5}, {"split_indices": 9999}):
        key, value = next(iter(change.items()))
        bad = json.loads(text)
        bad["learner"]["gradient_booster"]["model"]["trees"][0][key][0] = value
        Path("bad.json").write_text(json.dumps(bad))
        with pytest.raises(ModelError, match="not a complete XGBoost model"):
            load_forest("bad.json", trust=False)
    whole["learner"]["learner_model_param"]["num_feature"] = "999999999999"
    Path("huge.json").write_text(json.dumps(whole))
    with pytest.raises(ModelError, match="claims"):
        load_forest("huge.json", trust=False)
    lines = saved("lightgbm")[0].read_text()
    for end in rng.integers(10, len(lines) - 200, 20):
        Path("cut.txt").write_text(lines[:end])
        with pytest.raises(ModelError):
            load_forest("cut.txt", trust=False)
    Path("cycle.txt").write_text(lines.replace("\nleft_child=", "\nleft_child=0 ", 1))
    with pytest.raises(ModelError, match="LightGBM"):
        load_forest("cycle.txt", trust=False)


def test_damaged_skops_files_do_not_crash() -> None:
    content = saved("forest")[0].read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(30):
        bad = bytearray(content)
        for at in rng.integers(0, len(bad), 20):
            bad[at] = rng.integers(256)
        Path("bad.skops").write_bytes(bad)
        try:
            forest, original, _ = load_forest("bad.skops", trust=False)
        except ModelError:
            continue
        assert original is not None and np.isfinite(forest.predict(data_of("digits")[0][:3])).all()


def test_other_files_are_no_forests(digits: Path) -> None:
    Path("notes.txt").write_text("xylophone")
    assert not is_forest("notes.txt")
    assert not is_forest(digits)


@pytest.mark.parametrize("name", ["xgboost nan", "lightgbm nan"])
def test_text_models_are_read_without_their_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, x, estimator = saved(name)
    library = name.partition(" ")[0]
    wanted = load_forest(estimator, trust=False)[0].predict(x)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    forest, original, _ = load_forest(path, trust=False)
    note = forest.notes[-1]
    assert original is None and note.code == "library-not-installed" and library in note.text
    np.testing.assert_allclose(forest.predict(x), wanted, rtol=1e-6)

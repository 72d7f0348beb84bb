"""Forests of every supported library, small, trained here on scikit-learn's own data sets."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn import datasets, ensemble, tree

Data = tuple[np.ndarray, np.ndarray]
FittedModel = tuple[str, Any, np.ndarray]  # name, estimator, samples


@cache
def data_of(name: str) -> Data:
    """Features in float32, and labels. ``cancer_nan`` has a fifth of its values missing."""
    loaders: dict[str, Any] = {
        "digits": datasets.load_digits,
        "cancer": datasets.load_breast_cancer,
        "cancer_nan": datasets.load_breast_cancer,
        "diabetes": datasets.load_diabetes,
    }
    x, y = loaders[name](return_X_y=True)
    x = x.astype(np.float32)
    if name.endswith("_nan"):
        x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    return x, y


def _xgboost(kind: str, **settings: Any) -> Any:
    import xgboost

    return getattr(xgboost, kind)(n_estimators=12, **settings)


def _lightgbm(kind: str, **settings: Any) -> Any:
    import lightgbm

    return getattr(lightgbm, kind)(n_estimators=12, verbose=-1, **settings)


E, T = ensemble, tree
MAKERS: dict[str, tuple[Callable[[], Any], str]] = {
    "tree": (lambda: T.DecisionTreeClassifier(random_state=0), "digits"),
    "tree regression": (lambda: T.DecisionTreeRegressor(max_depth=5, random_state=0), "diabetes"),
    "forest": (lambda: E.RandomForestClassifier(20, random_state=0), "digits"),
    "shallow forest": (lambda: E.RandomForestClassifier(20, max_depth=3, random_state=0), "digits"),
    "forest nan": (lambda: E.RandomForestClassifier(10, random_state=0), "cancer_nan"),
    "forest regression": (lambda: E.RandomForestRegressor(10, random_state=0), "diabetes"),
    "extra trees": (lambda: E.ExtraTreesClassifier(10, min_samples_leaf=3, random_state=0), "cancer"),
    "boosted": (lambda: E.GradientBoostingClassifier(n_estimators=6, random_state=0), "digits"),
    "boosted exponential": (
        lambda: E.GradientBoostingClassifier(loss="exponential", n_estimators=9, random_state=0),
        "cancer",
    ),
    "boosted regression": (lambda: E.GradientBoostingRegressor(n_estimators=9, random_state=0), "diabetes"),
    "histogram": (lambda: E.HistGradientBoostingClassifier(max_iter=5, random_state=0), "digits"),
    "histogram nan": (lambda: E.HistGradientBoostingClassifier(max_iter=9, random_state=0), "cancer_nan"),
    "histogram poisson": (
        lambda: E.HistGradientBoostingRegressor(loss="poisson", max_iter=9, random_state=0),
        "diabetes",
    ),
    "xgboost": (lambda: _xgboost("XGBClassifier"), "digits"),
    "xgboost nan": (lambda: _xgboost("XGBClassifier"), "cancer_nan"),
    "xgboost dart": (lambda: _xgboost("XGBClassifier", booster="dart", rate_drop=0.3), "cancer_nan"),
    "xgboost poisson": (lambda: _xgboost("XGBRegressor", objective="count:poisson"), "diabetes"),
    "lightgbm": (lambda: _lightgbm("LGBMClassifier"), "digits"),
    "lightgbm nan": (lambda: _lightgbm("LGBMClassifier"), "cancer_nan"),
    "lightgbm averaged": (
        lambda: _lightgbm("LGBMClassifier", boosting_type="rf", bagging_freq=1, bagging_fraction=0.6),
        "cancer",
    ),
    "lightgbm regression": (lambda: _lightgbm("LGBMRegressor"), "diabetes"),
}


@cache
def fitted(name: str) -> tuple[Any, np.ndarray]:
    """An estimator trained on half of its data, and all samples."""
    make, data = MAKERS[name]
    x, y = data_of(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make().fit(x[::2], y[::2]), x


@pytest.fixture(params=MAKERS)
def every_model(request: pytest.FixtureRequest) -> FittedModel:
    """Name, estimator and samples of each library and kind."""
    return (request.param, *fitted(request.param))

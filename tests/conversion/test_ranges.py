"""Calibration methods: each clips outliers and nothing more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_compress.conversion import METHODS, Method
from tflite_compress.conversion.activation_ranges import chosen_range
from tflite_compress.conversion.observe import BINS, Observed


def observed(values: np.ndarray, kind: str = "CONV_2D") -> Observed:
    counts = np.histogram(values, BINS, (values.min(), values.max()))[0]
    return Observed(float(values.min()), float(values.max()), counts, 4, kind)


def error(values: np.ndarray, low: float, high: float, levels: int = 256) -> float:
    step = (high - low) / (levels - 1)
    held = np.rint((np.clip(values, low, high) - low) / step) * step + low
    return float(np.mean((values - held) ** 2))


@pytest.fixture(scope="module")
def tailed() -> np.ndarray:
    """Rectified Gaussian values with a few far out."""
    rng = np.random.default_rng(0)
    values = np.maximum(rng.normal(size=200_000), 0)
    values[:5] = 60.0
    return values


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_outliers_are_clipped(tailed: np.ndarray, method: Method) -> None:
    low, high = chosen_range(observed(tailed), method)
    assert low == 0 and tailed[5:].max() * 0.3 < high < 40
    assert chosen_range(observed(tailed), "minmax") == (0.0, 60.0)


def test_mse_has_the_least_squared_error() -> None:
    values = np.random.default_rng(0).laplace(size=400_000)  # heavy tails: 16 steps are better spent inside
    errors = {m: error(values, *chosen_range(observed(values), m, 16), 16) for m in METHODS}
    assert errors["mse"] == min(errors.values()) and errors["mse"] < 0.5 * errors["minmax"]


@pytest.mark.parametrize("method", METHODS)
def test_values_without_outliers_keep_their_range(method: Method) -> None:
    values = np.random.default_rng(1).uniform(-3, 5, 100_000)
    low, high = chosen_range(observed(values), method)
    assert -3.01 < low < -2.7 and 4.7 < high < 5.01


@pytest.mark.parametrize("method", METHODS)
def test_operators_of_fixed_range_are_left_alone(tailed: np.ndarray, method: Method) -> None:
    assert chosen_range(observed(tailed, "SOFTMAX"), method) == (0.0, 60.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False, width=32), min_size=1, max_size=200),
    st.sampled_from(METHODS),
    st.sampled_from([256, 65536]),
)
def test_every_range_is_finite_holds_zero_and_stays_inside(
    numbers: list[float], method: Method, levels: int
) -> None:
    values = np.asarray(numbers)
    counts = np.zeros(BINS, np.int64)
    if values.max() > values.min():
        counts = np.histogram(values, BINS, (values.min(), values.max()))[0]
    low, high = chosen_range(
        Observed(float(values.min()), float(values.max()), counts, 2, ""), method, levels
    )
    span = max(1.0, abs(values).max())
    assert low <= 0 <= high
    assert min(values.min(), 0) - 1e-6 * span <= low and high <= max(values.max(), 0) + 1e-6 * span

"""A tiny model and data for it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def tiny(keras: ModuleType) -> Any:
    """A convolutional network of 700 parameters that classifies into three classes."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    convolutions = [layers.Conv2D(8, 3, strides=2, activation="relu") for _ in range(2)]
    return keras.Sequential(
        [keras.Input((8, 8, 1)), *convolutions, layers.Flatten(), layers.Dense(3, activation="softmax")],
        name="tiny",
    )


@pytest.fixture(scope="session")
def tiny_data() -> tuple[np.ndarray, np.ndarray]:
    """Random images, shape (96, 8, 8, 1), with random class numbers."""
    rng = np.random.default_rng(0)
    return rng.uniform(size=(96, 8, 8, 1)).astype(np.float32), rng.integers(0, 3, 96)

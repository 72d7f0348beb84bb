"""Fashion-MNIST from Debian's package, and the small CNN the figures in docs/results.md are about.

Install the data with: apt-get install dataset-fashion-mnist
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path("/usr/share/datasets/fashion-mnist")


def available() -> bool:
    """True where the Debian package is installed."""
    return (FOLDER / "train-images-idx3-ubyte.gz").exists()


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images (60000, 28, 28, 1) and labels, test images (10000, 28, 28, 1) and labels; uint8."""
    return _images("train"), _labels("train"), _images("t10k"), _labels("t10k")


def save_npz(path: Path) -> None:
    """Write the data as one .npz with x_train, y_train, x_test, y_test; pixels as float32 0 to 1."""
    x_train, y_train, x_test, y_test = load()
    scale = np.float32(1 / 255)
    np.savez(path, x_train=x_train * scale, y_train=y_train, x_test=x_test * scale, y_test=y_test)


def build() -> Any:
    """A depthwise-separable Keras 3 CNN of about 38 thousand weights, for 28x28x1 images."""
    import keras

    layers = keras.layers

    def normed(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    inputs = keras.Input((28, 28, 1), name="image")
    x = normed(layers.Conv2D(32, 3, padding="same", use_bias=False, name="stem")(inputs))
    for index, (channels, stride) in enumerate([(64, 2), (64, 1), (128, 2), (128, 1)], 1):
        depthwise = layers.DepthwiseConv2D(
            3, stride, padding="same", use_bias=False, name=f"depthwise_{index}"
        )
        x = normed(depthwise(x))
        x = normed(layers.Conv2D(channels, 1, use_bias=False, name=f"pointwise_{index}")(x))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="garment")(x), name="fashion_cnn")


def train(path: Path, epochs: int = 8) -> float:
    """Train the CNN on the training images, save it, and return its top-1 on the test images."""
    import keras

    keras.utils.set_random_seed(0)
    x_train, y_train, x_test, y_test = load()
    scale = np.float32(1 / 255)
    model = build()
    rate = keras.optimizers.schedules.CosineDecay(0.003, epochs * 469)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train * scale, y_train, batch_size=128, epochs=epochs, verbose=2)
    model.save(path)
    return float(model.evaluate(x_test * scale, y_test, verbose=0)[1])


def _images(part: str) -> np.ndarray:
    with gzip.open(FOLDER / f"{part}-images-idx3-ubyte.gz") as stream:
        return np.frombuffer(stream.read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)


def _labels(part: str) -> np.ndarray:
    with gzip.open(FOLDER / f"{part}-labels-idx1-ubyte.gz") as stream:
        return np.frombuffer(stream.read(), np.uint8, offset=8).astype(np.int64)

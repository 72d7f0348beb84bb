"""Fashion-MNIST from Debian's package, and the small CNN the figures in docs/results.md are about.

Install the data with: apt-get install dataset-fashion-mnist
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
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


def save_npz(path: Path, train: int = 60_000) -> None:
    """Write the data as one .npz with x_train, y_train, x_test, y_test; pixels as float32 0 to 1.

    Args:
        path: The file.
        train: How many training images, chosen with a seed.
    """
    x_train, y_train, x_test, y_test = load()
    if train < len(x_train):
        few = np.random.default_rng(0).permutation(len(x_train))[:train]
        x_train, y_train = x_train[few], y_train[few]
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


def build_resnet8() -> Any:
    """The ResNet8 of MLPerf Tiny's image classification, 77 thousand weights, for 28x28x1 images."""
    import keras

    layers = keras.layers

    def normed(x: Any, channels: int, size: int, stride: int, name: str) -> Any:
        convolution = layers.Conv2D(channels, size, stride, padding="same", use_bias=False, name=name)
        return layers.BatchNormalization()(convolution(x))

    inputs = keras.Input((28, 28, 1), name="image")
    x = layers.ReLU()(normed(inputs, 16, 3, 1, "stem"))
    for index, (channels, stride) in enumerate([(16, 1), (32, 2), (64, 2)], 1):
        y = layers.ReLU()(normed(x, channels, 3, stride, f"first_{index}"))
        y = normed(y, channels, 3, 1, f"second_{index}")
        shortcut = x if stride == 1 else normed(x, channels, 1, stride, f"shortcut_{index}")
        x = layers.ReLU()(layers.Add()([shortcut, y]))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="garment")(x), name="resnet8")


def build_autoencoder() -> Any:
    """A dense autoencoder in the shape of MLPerf Tiny's anomaly detection, 300 thousand weights."""
    import keras

    layers = keras.layers
    x = inputs = keras.Input((784,), name="pixels")
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(width)(x)))
    return keras.Model(inputs, layers.Dense(784, name="restored")(x), name="autoencoder")


def train_autoencoder(path: Path, epochs: int = 10) -> None:
    """Train the autoencoder to restore the training images, and save it."""
    import keras

    keras.utils.set_random_seed(0)
    pixels = load()[0].reshape(-1, 784) * np.float32(1 / 255)
    model = build_autoencoder()
    model.compile(keras.optimizers.Adam(0.001), "mse")
    model.fit(pixels, pixels, batch_size=256, epochs=epochs, verbose=2)
    model.save(path)


def train(path: Path, epochs: int = 8, build: Callable[[], Any] = build) -> float:
    """Train a CNN on the training images, save it, and return its top-1 on the test images."""
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

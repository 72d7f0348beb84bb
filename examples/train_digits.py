"""Train the bundled example: handwritten digits, 8x8 pixels, from scikit-learn.

Writes digits.keras (a Keras 3 model) and digits.npz (1,797 images, uint8 0 to 16, with labels) beside this
script. The last quarter, other people's handwriting, is x_test and not trained on.
Needs scikit-learn: python examples/train_digits.py
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits

HERE = Path(__file__).parent


def build() -> keras.Model:
    """A small convolutional network, 27 thousand weights."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Rescaling(1 / 16, name="scale"),
            layers.Conv2D(24, 3, padding="same", use_bias=False, name="conv_1"),
            layers.BatchNormalization(name="norm_1"),
            layers.ReLU(name="relu_1"),
            layers.Conv2D(48, 3, padding="same", use_bias=False, name="conv_2"),
            layers.BatchNormalization(name="norm_2"),
            layers.ReLU(name="relu_2"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_3"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dropout(0.2, name="dropout"),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )


def main() -> None:
    """Train, report accuracy on images not trained on, and save."""
    keras.utils.set_random_seed(0)
    digits = load_digits()
    x = digits.images[..., np.newaxis].astype(np.uint8)
    y = digits.target.astype(np.int64)
    held_out = len(x) * 3 // 4
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:held_out].astype("float32"), y[:held_out], batch_size=32, epochs=30, verbose=2)
    _, accuracy = model.evaluate(x[held_out:].astype("float32"), y[held_out:], verbose=0)
    print(
        f"{model.count_params():,} weights, top-1 {accuracy:.4f} on {len(x) - held_out} images not trained on"
    )
    model.save(HERE / "digits.keras")
    np.savez_compressed(
        HERE / "digits.npz",
        x_train=x[:held_out],
        y_train=y[:held_out],
        x_test=x[held_out:],
        y_test=y[held_out:],
    )


if __name__ == "__main__":
    main()

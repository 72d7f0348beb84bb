"""MobileNetV2 (width 0.35) at 96 x 96 pixels on Fashion-MNIST.

Weights learned on ImageNet cannot be installed from a package registry. So the network first learns from all
60,000 images at 48 x 48 pixels, and is then fine-tuned at 96 x 96.

    python benchmarks/mobilenet.py FOLDER [RECIPE]

makes data and network in FOLDER if they are not there, compresses it with the recipe, channel-prune-int8 by
default, in a process of its own, and prints wall time, CPU time and peak memory. The other results are those
of suite.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import fashion
import numpy as np

NAME = "mobilenetv2_96"
SMALL, SIDE = 48, 96
TRAIN, TEST = 6000, 4000
MOMENTUM = 0.9  # Keras' 0.999 needs thousands of steps before the statistics are those of the data


def enlarged(images: np.ndarray, side: int) -> np.ndarray:
    """Images (n, 28, 28, 1) of 0 to 255 as (n, side, side, 3) of -1 to 1, bilinear."""
    import tensorflow as tf

    return np.repeat(tf.image.resize(images, (side, side)).numpy() / 127.5 - 1, 3, axis=-1)


def save_npz(path: Path) -> None:
    """Write the images the network is fine-tuned and scored on."""
    x_train, y_train, x_test, y_test = fashion.load()
    few = np.random.default_rng(0).permutation(len(x_train))[:TRAIN]
    np.savez(
        path,
        x_train=enlarged(x_train[few], SIDE),
        y_train=y_train[few],
        x_test=enlarged(x_test[:TEST], SIDE),
        y_test=y_test[:TEST],
    )


def build(side: int) -> Any:
    """The network for images of a size."""
    import keras

    shape = (side, side, 3)
    model = keras.applications.MobileNetV2(shape, alpha=0.35, weights=None, classes=10, name=NAME)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
    return model


def train(path: Path, data: Path, epochs: int = 4) -> None:
    """Learn at 48 pixels, fine-tune at 96, save."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    x, y, _, _ = fashion.load()

    def larger(images: Any, labels: Any) -> Any:
        grown = tf.image.resize(images, (SMALL, SMALL)) / 127.5 - 1
        return tf.repeat(grown, 3, axis=-1), labels

    batches = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(60000, seed=0).batch(128).map(larger)
    first = build(SMALL)
    rate = keras.optimizers.schedules.CosineDecay(0.003, epochs * 469)
    first.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    first.fit(batches.prefetch(2), epochs=epochs, verbose=2)
    model = build(SIDE)
    model.set_weights(first.get_weights())
    with np.load(data) as archive:
        rate = keras.optimizers.schedules.CosineDecay(0.0005, 2 * TRAIN // 64)
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(archive["x_train"], archive["y_train"], batch_size=64, epochs=2, verbose=2)
        print("test", model.evaluate(archive["x_test"], archive["y_test"], verbose=0))
    model.save(path)


def main(folder: Path, recipe: str) -> int:
    """Compress the network in a process of its own, and print what that took."""
    folder.mkdir(parents=True, exist_ok=True)
    data, model = folder / f"{NAME}.npz", folder / f"{NAME}.keras"
    if not data.exists():
        save_npz(data)
    if not model.exists():
        train(model, data)
    job = [sys.executable, str(Path(__file__).with_name("jobs.py")), str(folder), NAME, f"ours-{recipe}"]
    return subprocess.run(job).returncode


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "channel-prune-int8"))

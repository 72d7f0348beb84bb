"""The networks and images of small_data.py, low_bits.py and all_images.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import colour_images
import fashion
import numpy as np

IMAGES = 4_000  # for training and calibration of what is compressed

Images = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SmallSet:
    """A network, and the images it is trained with.

    Attributes:
        about: What they are, for docs/results.md.
        build: Makes the untrained Keras 3 network.
        read: Reads training images and labels, test images and labels; uint8 pixels. It gets the folder of
            ``--images``.
        epochs: Epochs of training.
        augment: Train with flipped and shifted images.
    """

    about: str
    build: Callable[[], Any]
    read: Callable[[Path | None], Images]
    epochs: int
    augment: bool

    def load(self, images: Path | None) -> Images:
        """Images as float32 from 0 to 1, and labels."""
        x_train, y_train, x_test, y_test = self.read(images)
        scale = np.float32(1 / 255)
        return x_train * scale, y_train, x_test * scale, y_test

    def trained(self, path: Path, images: Path | None) -> Path:
        """Train the network on all training images and save it, unless it is there."""
        if not path.exists():
            import keras

            keras.utils.set_random_seed(0)
            x, y, *_ = self.load(images)
            model = self.build()
            rate = keras.optimizers.schedules.CosineDecay(0.003, self.epochs * -(-len(x) // 128))
            model.compile(
                keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
            )
            for epoch in range(self.epochs):
                seen = moved(x, epoch) if self.augment else x
                model.fit(seen, y, batch_size=128, initial_epoch=epoch, epochs=epoch + 1, verbose=2)
            save(model, path)
        return path


def save(model: Any, path: Path) -> None:
    """Save a Keras 3 network without its optimizer."""
    import keras

    model.save(path)
    keras.models.load_model(path, compile=False).save(path)


def moved(x: np.ndarray, seed: int, pixels: int = 4) -> np.ndarray:
    """Flip half of the images, and shift each by up to ``pixels``.

    Args:
        x: Images, shape (samples, height, width, channels).
        seed: Of the random changes.
        pixels: Largest shift.

    Returns:
        The changed images, same shape.
    """
    random = np.random.default_rng(seed)
    padded = np.pad(x, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode="reflect")
    rows = random.integers(0, 2 * pixels + 1, len(x))[:, np.newaxis] + np.arange(x.shape[1])
    columns = random.integers(0, 2 * pixels + 1, len(x))[:, np.newaxis] + np.arange(x.shape[2])
    flip = random.random(len(x)) < 0.5
    columns[flip] = columns[flip, ::-1]
    each = np.arange(len(x))[:, np.newaxis, np.newaxis]
    changed: np.ndarray = padded[each, rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
    return changed


def few(length: int, seed: int, count: int | None = IMAGES) -> np.ndarray:
    """Shuffled indices of the training images that compression gets: ``count`` of them, or all if None."""
    return np.random.default_rng(seed).permutation(length)[:count]


def build_resnet8() -> Any:
    """ResNet8 as MLPerf Tiny has it: convolutions with bias, 1x1 shortcuts without BatchNorm."""
    import keras

    layers = keras.layers

    def convolved(x: Any, channels: int, stride: int, name: str) -> Any:
        x = layers.Conv2D(channels, 3, stride, padding="same", name=name)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((colour_images.SIZE, colour_images.SIZE, 3), name="image")
    x = layers.ReLU()(convolved(inputs, 16, 1, "stem"))
    for index, (channels, stride) in enumerate([(16, 1), (32, 2), (64, 2)], 1):
        y = layers.ReLU()(convolved(x, channels, stride, f"first_{index}"))
        y = convolved(y, channels, 1, f"second_{index}")
        if stride > 1:
            x = layers.Conv2D(channels, 1, stride, padding="same", name=f"shortcut_{index}")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="group")(x), name="resnet8")


def _read_colour(images: Path | None) -> Images:
    if images is None:
        raise SystemExit("resnet8 needs --images=FOLDER, a folder of Tiny ImageNet (see colour_images.py)")
    return colour_images.load(images)


SETS = {
    "resnet8": SmallSet(
        "ResNet8 of MLPerf Tiny's layout, colour images of 32x32 pixels in ten groups, from Tiny ImageNet",
        build_resnet8,
        _read_colour,
        epochs=30,
        augment=True,
    ),
    "fashion_cnn": SmallSet(
        "the CNN of fashion.py, Fashion-MNIST",
        fashion.build,
        lambda images: fashion.load(),
        epochs=8,
        augment=False,
    ),
}

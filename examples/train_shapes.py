"""Train a small detector of discs, squares and crosses, and write ``shapes.keras`` and ``shapes.npz``.

The input has 512 x 512 pixels; the network reads it at an eighth of the size. It has one output of the layout
of YOLO v8: for each of 64 cells the box in pixels and the score of each class.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

SIDE, SHRINK, GRID, CLASSES, MAX_SHAPES = 512, 8, 8, 3, 3


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images at an eighth of the size, shape (count, 64, 64, 1), and boxes, (count, 3, 5)."""
    rng = np.random.default_rng(seed)
    side = SIDE // SHRINK
    images = rng.uniform(0, 0.3, (count, 1, 1, 1)) + rng.normal(0, 0.03, (count, side, side, 1))
    boxes = np.zeros((count, MAX_SHAPES, 5), np.float32)
    boxes[..., 0] = -1
    rows, columns = np.mgrid[:side, :side] + 0.5
    for image, labels in zip(images, boxes, strict=True):
        for index in range(rng.integers(1, MAX_SHAPES + 1)):
            size, number = rng.integers(10, 25), rng.integers(0, CLASSES)
            x, y = rng.uniform(size / 2, side - size / 2, 2)
            across, down = np.abs(columns - x) * 2 / size, np.abs(rows - y) * 2 / size
            square = (across <= 1) & (down <= 1)
            shapes = across**2 + down**2 <= 1, square, square & ((across <= 0.3) | (down <= 0.3))
            image[shapes[number]] = rng.uniform(0.5, 1)
            corners = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2]) / side
            labels[index] = number, *np.clip(corners, 0, 1)
    return images.astype(np.float32), boxes


def targets(boxes: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Return the box in pixels of an image of a size and the classes of each cell, shape (samples, 64, 7)."""
    values = np.zeros((len(boxes), GRID, GRID, 4 + CLASSES), np.float32)
    for sample, index in np.argwhere(boxes[..., 0] >= 0):
        number, x0, y0, x1, y1 = boxes[sample, index]
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        cell = values[sample, int(y * GRID), int(x * GRID)]
        cell[:] = 0
        cell[:4] = np.array([x, y, x1 - x0, y1 - y0]) * side
        cell[4 + int(number)] = 1
    return values.reshape(len(boxes), GRID * GRID, -1)


def build(side: int = SIDE) -> tuple[keras.Model, keras.Model]:
    """Return the network for images at an eighth of the size, and the detector around it.

    Args:
        side: Width and height of the image that boxes count pixels of.
    """
    layers, cells = keras.layers, GRID * GRID
    inputs = x = keras.Input((SIDE // SHRINK, SIDE // SHRINK, 1), name="small")
    for width in (12, 24, 32):
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    corners = np.stack(np.meshgrid(*[np.arange(GRID)] * 2), axis=-1).reshape(1, cells, 2) * side / GRID
    places = layers.Reshape((cells, 2))(layers.Conv2D(2, 1, activation="sigmoid")(x))
    centres = layers.Rescaling(side / GRID)(places) + corners.astype(np.float32)
    sizes = layers.Reshape((cells, 2))(layers.Conv2D(2, 1, activation="sigmoid")(x))
    boxes = layers.Concatenate(name="boxes")([centres, layers.Rescaling(side)(sizes)])
    scores = layers.Conv2D(CLASSES, 1, activation="sigmoid")(x)
    scores = layers.Reshape((cells, CLASSES), name="scores")(scores)
    network = keras.Model(inputs, layers.Concatenate(name="detections")([boxes, scores]), name="network")
    image = keras.Input((SIDE, SIDE, 1), name="image")
    return network, keras.Model(image, network(layers.AveragePooling2D(SHRINK)(image)), name="shapes")


def loss(wanted: keras.KerasTensor, found: keras.KerasTensor, side: int = SIDE) -> keras.KerasTensor:
    """Return the error of the boxes where there are shapes, and the focal cross-entropy of the scores."""
    ops, yes = keras.ops, wanted[..., 4:]
    is_shape = ops.max(yes, axis=-1, keepdims=True)
    boxes = ops.sum(is_shape * ops.abs(wanted[..., :4] - found[..., :4])) / side
    share = ops.clip(found[..., 4:], 1e-6, 1 - 1e-6)
    entropy = yes * ops.log(share) * (1 - share) + (1 - yes) * ops.log(1 - share) * share
    return (8 * boxes - ops.sum(entropy)) / ops.maximum(ops.sum(is_shape), 1)


def main(folder: str = ".", images: int = 1500, epochs: int = 12, written: int = 200) -> None:
    """Train the detector, and write it with images and boxes.

    Args:
        folder: Where to write.
        images: Number of images to train on.
        epochs: Number of epochs.
        written: Number of further images to write.
    """
    keras.utils.set_random_seed(0)
    x, boxes = draw(images, 1)
    network, detector = build()
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * -(-images // 32))
    trained = keras.Model(network.inputs, network.outputs)  # the saved model does not name the loss
    trained.compile(keras.optimizers.Adam(rate), loss)
    trained.fit(x, targets(boxes), batch_size=32, epochs=epochs, verbose=0)
    detector.save(Path(folder) / "shapes.keras")
    x, boxes = draw(written, 2)
    np.savez_compressed(Path(folder) / "shapes.npz", x=x.repeat(SHRINK, 1).repeat(SHRINK, 2), y=boxes)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")

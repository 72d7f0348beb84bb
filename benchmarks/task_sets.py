"""Generated and small real data sets, one function per kind of task, each with a network for it.

A set is added by a function from a seed to a :class:`TaskSet` and an entry in ``SETS``.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]
SIDE = 64
RATE, SECONDS, BINS, FRAMES, HOP, WINDOW = 16_000, 2, 64, 5, 512, 1024  # of the sounds


@dataclass(frozen=True)
class TaskSet:
    """Data for a task, and how a network for it is built and trained.

    Attributes:
        title: Name in the table.
        about: The evaluation samples and their metric, in one sentence.
        task: Name for ``--task``.
        train: Inputs and what the network learns, shape (samples, ...).
        labels: Labels of the training inputs for the tools that train; None without.
        evaluate: Inputs and labels for the metric.
        build: Returns a compiled Keras 3 model.
        epochs, batch: Training.
        repair: Pass that is added to the recipes before the conversion; None for none.
    """

    title: str
    about: str
    task: str
    train: Arrays
    labels: np.ndarray | None
    evaluate: Arrays
    build: Callable[[], Any]
    epochs: int
    batch: int = 32
    repair: str | None = None


def shapes(seed: int) -> TaskSet:
    """Circles, squares and triangles of random colours on a noisy ground; a class for each pixel."""
    rng = np.random.default_rng(seed)
    x, y = _scenes(rng, 400)
    return TaskSet(
        "segmentation, shapes 64x64",
        "Segmentation: 300 generated images, mean IoU of a U-Net.",
        "segmentation",
        (x, y),
        y,
        _scenes(rng, 300),
        _segmenter,
        epochs=24,
        batch=16,
    )


def _scenes(rng: np.random.Generator, count: int) -> Arrays:
    """Return images (count, 64, 64, 3), 0 to 1, and class numbers (count, 64, 64), 0 for the ground."""
    images = np.empty((count, SIDE, SIDE, 3), np.float32)
    classes = np.zeros((count, SIDE, SIDE), np.int64)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for image, numbers in zip(images, classes, strict=True):
        image[:] = rng.uniform(0, 1, 3)
        for _ in range(rng.integers(1, 4)):
            kind = int(rng.integers(1, 4))
            size = rng.uniform(6, 14)
            y, x = rng.uniform(size, SIDE - size, 2)
            inside = _inside(kind, (rows - y) / size, (columns - x) / size)
            image[inside] = rng.uniform(0, 1, 3)
            numbers[inside] = kind
        image += rng.normal(0, 0.08, image.shape)
    return np.clip(images, 0, 1), classes


def _inside(kind: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return which pixels a circle, a square or a triangle of size 1 covers."""
    if kind == 1:
        return np.asarray(x**2 + y**2 <= 1)
    if kind == 2:
        return np.asarray(np.maximum(abs(x), abs(y)) <= 0.85)
    return np.asarray((y <= 0.8) & (abs(x) <= (y + 1) / 1.8))


def _segmenter() -> Any:
    """Return a small U-Net with BatchNorm, 64x64x3 to 4 classes per pixel."""
    import keras

    layers = keras.layers

    def block(x: Any, channels: int, stride: int = 1) -> Any:
        x = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    inputs = keras.Input((SIDE, SIDE, 3), name="image")
    first = block(inputs, 8)
    second = block(first, 16, 2)
    third = block(second, 32, 2)
    x = block(third, 64, 2)
    for skip, channels in ((third, 32), (second, 16), (first, 8)):
        x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
        x = block(x, channels)
    outputs = layers.Conv2D(4, 1, activation="softmax", name="classes")(x)
    model = keras.Model(inputs, outputs, name="segmenter")
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    return model


def diabetes(seed: int) -> TaskSet:
    """The diabetes data of scikit-learn: 10 values of 442 patients, and how the disease went on."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    inputs = (x[order] / x.std()).astype(np.float32)
    targets = y[order].astype(np.float32)[:, np.newaxis]
    train = inputs[:292], targets[:292]
    return TaskSet(
        "regression, diabetes",
        "Regression: 150 patients of scikit-learn's diabetes data, R2 of a dense network.",
        "regression",
        train,
        train[1],
        (inputs[292:], targets[292:]),
        _regressor,
        epochs=150,
        batch=16,
    )


def _regressor() -> Any:
    """Return a dense network from 10 values to 1."""
    import keras

    layers = keras.layers
    inputs = keras.Input((10,), name="patient")
    x = layers.Dense(32, "relu", kernel_regularizer="l2")(inputs)
    x = layers.Dense(32, "relu", kernel_regularizer="l2")(x)
    outputs = layers.Dense(1, name="progression", bias_initializer=keras.initializers.Constant(150.0))(x)
    model = keras.Model(inputs, outputs, name="regressor")
    model.compile(keras.optimizers.Adam(0.003), "mse")
    return model


def sounds(seed: int) -> TaskSet:
    """Log-mel windows of generated machines; anomalies are worn bearings, loose parts or other speeds."""
    rng = np.random.default_rng(seed)
    train = _windows([_sound(rng, None) for _ in range(150)])
    kinds = [None] * 60 + ["bearing", "loose", "speed"] * 20
    clips = [_windows([_sound(rng, kind)]) for kind in kinds]
    labels = np.repeat([int(kind is not None) for kind in kinds], [len(clip) for clip in clips])
    x = np.concatenate(clips)
    mean, spread = train.mean(axis=0), train.std(axis=0)
    train, x = ((values - mean) / spread for values in (train, x))
    few = rng.permutation(len(x))[:1500]
    return TaskSet(
        "anomaly detection, machine sounds",
        "Anomaly detection: 1,500 log-mel windows of generated sounds, area under the ROC curve of the "
        "reconstruction error of a dense autoencoder.",
        "anomaly-detection",
        (train, train),
        None,
        (x[few], labels[few].astype(np.int64)),
        _autoencoder,
        epochs=20,
        batch=128,
    )


def _sound(rng: np.random.Generator, fault: str | None) -> np.ndarray:
    """Return one recording of a machine: harmonics of its speed, hum of the mains, noise of the air."""
    t = np.arange(RATE * SECONDS) / RATE
    speed = rng.choice([43.0, 61.0, 97.0]) * rng.uniform(0.98, 1.02)
    if fault == "speed":
        speed *= rng.choice([0.85, 1.15])
    wave = sum(0.5**k * np.sin(2 * np.pi * speed * (k + 1) * t + rng.uniform(0, 2 * np.pi)) for k in range(6))
    wave = wave * (1 + 0.2 * np.sin(2 * np.pi * 3 * t)) + 0.2 * np.sin(2 * np.pi * 50 * t)
    if fault == "bearing":
        tone = np.sin(2 * np.pi * rng.uniform(2000, 5000) * t)
        wave = wave + rng.uniform(0.02, 0.08) * tone * (np.sin(2 * np.pi * speed / 2 * t) > 0)
    if fault == "loose":
        period = int(RATE / rng.uniform(8, 15))
        knock = np.exp(-np.arange(period) / 60) * rng.normal(0, rng.uniform(0.1, 0.4), period)
        wave = wave + np.resize(knock, len(t))
    return np.asarray(wave * rng.uniform(0.7, 1.3) + rng.normal(0, 0.05, len(t)))


def _windows(recordings: list[np.ndarray]) -> np.ndarray:
    """Return 5 frames of 64 log-mel values each, shape (windows, 320), from all recordings."""
    found = []
    filters = _mel_filters()
    for wave in recordings:
        starts = range(0, len(wave) - WINDOW, HOP)
        frames = np.stack([wave[start : start + WINDOW] for start in starts]) * np.hanning(WINDOW)
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
        decibels = 10 * np.log10(power @ filters + 1e-6)
        found += [decibels[i : i + FRAMES].ravel() for i in range(0, len(decibels) - FRAMES + 1, 2)]
    return np.asarray(found, np.float32)


def _mel_filters() -> np.ndarray:
    """Return triangular filters with equal distances in mel, shape (frequencies, 64)."""
    highest = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, BINS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, np.newaxis]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


def _autoencoder() -> Any:
    """Return a dense autoencoder with a bottleneck of 8, in the shape of MLPerf Tiny's but half as wide."""
    import keras

    layers = keras.layers
    x = inputs = keras.Input((BINS * FRAMES,), name="window")
    for width in (64, 64, 64, 8, 64, 64, 64):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(width)(x)))
    model = keras.Model(inputs, layers.Dense(BINS * FRAMES, name="restored")(x), name="autoencoder")
    model.compile(keras.optimizers.Adam(0.002), "mse")
    return model


def detections(seed: int) -> TaskSet:
    """The discs, squares and crosses of examples/train_shapes.py; boxes are pixels of the 64x64 images."""
    script: dict[str, Any] = runpy.run_path(
        str(Path(__file__).resolve().parents[1] / "examples" / "train_shapes.py")
    )
    x, boxes = script["draw"](1500, 10 * seed + 1)

    def build() -> Any:
        import keras

        network, _ = script["build"](SIDE)
        network.compile(
            keras.optimizers.Adam(4e-3), lambda wanted, found: script["loss"](wanted, found, SIDE)
        )
        return network

    return TaskSet(
        "object detection, shapes 64x64",
        "Object detection: 300 generated images, COCO's mean average precision of a YOLO v8 head. "
        "The recipes get pass `split_outputs`, which `compress` tries by itself where int8 loses accuracy.",
        "object-detection",
        (x, script["targets"](boxes, SIDE)),
        boxes,
        script["draw"](300, 10 * seed + 2),
        build,
        epochs=12,
        repair="split_outputs",
    )


SETS: dict[str, Callable[[int], TaskSet]] = {
    "segmentation": shapes,
    "regression": diabetes,
    "anomaly": sounds,
    "detection": detections,
}

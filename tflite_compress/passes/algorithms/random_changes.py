"""Random changes of images and series, in TensorFlow, reproducible from seed and step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tflite_compress.support.backend import tensorflow

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import Tensor

SHIFT = 0.125  # of height, width or time, at most: 4 of 32 pixels
CONTRAST = 0.2  # at most
BRIGHTNESS = 0.2  # standard deviations, at most
NOISE = 0.1  # standard deviations, at most
MASK = 0.15  # of the steps or features, at most
MIN_FEATURES = 8  # for a mask over features
THIRD = 1 / 3  # of the samples: mixup; another third: cutmix


@dataclass(frozen=True)
class Changes:
    """What is changed, and the range of the data.

    Attributes:
        low, high, mean, deviation: Of the values of the training samples.
        mirror: Flip images left-right.
        flip: Flip images up-down.
    """

    low: float
    high: float
    mean: float
    deviation: float
    mirror: bool
    flip: bool


class Draw:
    """Random numbers of one step: another set at each call, the same set in each run.

    Args:
        seed: Seed of the run.
        step: Number of the step, a tensor.
        count: Samples in the batch.
    """

    def __init__(self, seed: int, step: Tensor, count: int) -> None:
        self._tf = tensorflow()
        self._seed, self._step, self._count, self._calls = seed, step, count, 0

    def uniform(self, low: float = 0.0, high: float = 1.0, shape: tuple[int, ...] = ()) -> Tensor:
        """Return uniform numbers, float32, shape (samples, *shape)."""
        size = (self._count, *shape)
        found: Tensor = self._tf.random.stateless_uniform(size, self._key(), low, high)
        return found

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Return normal numbers, float32, shape (samples, *shape)."""
        found: Tensor = self._tf.random.stateless_normal((self._count, *shape), self._key())
        return found

    def _key(self) -> object:
        self._calls += 1
        first = (self._seed * 1_000_003 + self._calls) % (2**31)
        return self._tf.stack([first, self._tf.cast(self._step, self._tf.int32)])


def changed_images(images: Tensor, changes: Changes, draw: Draw) -> Tensor:
    """Return images shifted, flipped where allowed, with other colours, and mixed with each other.

    Args:
        images: Shape (samples, height, width, channels), all sizes known.
        changes: What is changed.
        draw: Random numbers.
    """
    tf = tensorflow()
    x = tf.cast(images, tf.float32)
    x = tf.gather(x, _positions(int(x.shape[1]), changes.flip, draw), axis=1, batch_dims=1)
    x = tf.gather(x, _positions(int(x.shape[2]), changes.mirror, draw), axis=2, batch_dims=1)
    contrast = draw.uniform(1 - CONTRAST, 1 + CONTRAST, (1, 1, 1))
    brightness = draw.uniform(-BRIGHTNESS, BRIGHTNESS, (1, 1, 1)) * changes.deviation
    x = (x - changes.mean) * contrast + changes.mean + brightness
    kind = draw.uniform(shape=(1, 1, 1))
    inside = _boxes(int(x.shape[1]), int(x.shape[2]), draw)
    own = tf.where(kind < THIRD, draw.uniform(shape=(1, 1, 1)), tf.where(kind < 2 * THIRD, 1 - inside, 1.0))
    return _in_range(own * x + (1 - own) * tf.roll(x, 1, axis=0), images, changes)


def changed_series(series: Tensor, changes: Changes, draw: Draw) -> Tensor:
    """Return series shifted in time, with noise and masks, and mixed with each other.

    Args:
        series: Shape (samples, steps, features), all sizes known.
        changes: What is changed.
        draw: Random numbers.
    """
    tf = tensorflow()
    x = tf.cast(series, tf.float32)
    steps, features = int(x.shape[1]), int(x.shape[2])
    x = tf.gather(x, _positions(steps, False, draw), axis=1, batch_dims=1)
    x += draw.normal((steps, features)) * draw.uniform(0, NOISE, (1, 1)) * changes.deviation
    masked = _spans(steps, MASK, draw)[:, :, tf.newaxis]
    if features >= MIN_FEATURES:
        masked = tf.maximum(masked, _spans(features, MASK, draw)[:, tf.newaxis, :])
    x = x * (1 - masked) + changes.mean * masked
    own = tf.where(draw.uniform(shape=(1, 1)) < THIRD, draw.uniform(shape=(1, 1)), 1.0)
    return _in_range(own * x + (1 - own) * tf.roll(x, 1, axis=0), series, changes)


def _positions(size: int, flips: bool, draw: Draw) -> Tensor:
    """Return where each position of an axis is read from, int32, shape (samples, size)."""
    tf = tensorflow()
    most = max(1, round(SHIFT * size))
    shift = tf.cast(tf.floor(draw.uniform(-most, most + 1, (1,))), tf.int32)
    read = tf.range(size)[tf.newaxis, :]
    if flips:
        read = tf.where(draw.uniform(shape=(1,)) < 0.5, size - 1 - read, read)
    found: Tensor = tf.clip_by_value(read + shift, 0, size - 1)
    return found


def _boxes(height: int, width: int, draw: Draw) -> Tensor:
    """Return 1 within a random box of each sample, 0 outside; shape (samples, height, width, 1)."""
    tf = tensorflow()
    rows, columns = _spans(height, 1.0, draw), _spans(width, 1.0, draw)
    return (rows[:, :, tf.newaxis] * columns[:, tf.newaxis, :])[..., tf.newaxis]


def _spans(size: int, share: float, draw: Draw) -> Tensor:
    """Return 1 within a random span of each sample, at most ``share`` long, shape (samples, size)."""
    tf = tensorflow()
    length = draw.uniform(0, share, (1,)) * size
    start = draw.uniform(shape=(1,)) * (size - length)
    places = tf.range(size, dtype=tf.float32)[tf.newaxis, :] + 0.5
    found: Tensor = tf.cast((places >= start) & (places < start + length), tf.float32)
    return found


def _in_range(values: Tensor, original: Tensor, changes: Changes) -> Tensor:
    """Return values within the range of the data, in the type of the original."""
    tf = tensorflow()
    values = tf.clip_by_value(values, changes.low, changes.high)
    is_float = original.dtype == tf.float32
    result: Tensor = values if is_float else tf.cast(tf.round(values), original.dtype)
    return result

"""Trying out a layer nobody wrote a rule for: does it treat each channel alone?"""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_compress.channels.labels import LabelBook
from tflite_compress.channels.rules import Effect, Visit, join
from tflite_compress.support.backend import tensorflow

FREE_SIZE = 8


def channelwise_by_trial(visit: Visit, book: LabelBook) -> Effect | None:
    """Run a weightless layer on all channels and on every second one.

    Where the second answer is every second channel of the first, on random numbers, the layer works on
    each channel alone, and several inputs are joined entry by entry.

    Args:
        visit: The layer's call.
        book: Where joined labels are united.

    Returns:
        The effect, or None where the layer needs all its channels, or cannot be run alone.
    """
    width = visit.output_shapes[0][-1]
    widths = {len(labels) for labels in visit.inputs}
    if visit.layer.weights or len(visit.output_shapes) != 1 or not width or width < 2:
        return None
    if width not in widths or widths - {width, 1}:
        return None
    rng = np.random.default_rng(0)
    shapes = [[1, *(d or FREE_SIZE for d in shape[1:])] for shape in visit.input_shapes]
    values = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    halves = [v[..., ::2] if v.shape[-1] == width else v for v in values]
    try:
        whole, half = _run(visit, values), _run(visit, halves)
    except Exception:
        return None  # shapes written into the call's arguments, integer inputs: it needs what it has
    if whole.ndim < 2 or whole.shape[-1] != width or half.shape != (*whole.shape[:-1], (width + 1) // 2):
        return None
    if not np.allclose(whole[..., ::2], half, rtol=1e-4, atol=1e-5):
        return None
    return join(visit, book)


def _run(visit: Visit, values: list[np.ndarray]) -> np.ndarray:
    """Call the layer with its recorded arguments, graph tensors replaced by arrays in their order."""
    tf = tensorflow()
    remaining = iter(values)

    def swap(x: Any) -> Any:
        return tf.constant(next(remaining)) if hasattr(x, "_keras_history") else x

    args, kwargs = tf.nest.map_structure(swap, visit.arguments)
    return np.asarray(visit.layer.call(*args, **kwargs))

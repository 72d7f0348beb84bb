"""Probe a layer without a rule: run it to find out whether it processes each channel independently."""

from __future__ import annotations

import numpy as np

from tflite_compress.channels.labels import LabelBook
from tflite_compress.channels.rules import Effect, Visit, join
from tflite_compress.support.backend import tensorflow

FREE_SIZE = 8


def channelwise_by_trial(visit: Visit, book: LabelBook) -> Effect | None:
    """Return the effect of a layer without weights if it processes each channel independently.

    The layer runs on random numbers, once with all channels and once with every second channel. It is
    channelwise if the second output equals every second channel of the first. Several inputs are then joined
    entry by entry.

    Args:
        visit: The layer's call.
        book: Receives the labels that are united.

    Returns:
        The effect, or None if the layer needs all its channels or cannot be run on its own.
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
        return None  # fixed shapes in the call's arguments or integer inputs: it needs all its channels
    if whole.ndim < 2 or whole.shape[-1] != width or half.shape != (*whole.shape[:-1], (width + 1) // 2):
        return None
    if not np.allclose(whole[..., ::2], half, rtol=1e-4, atol=1e-5):
        return None
    return join(visit, book)


def _run(visit: Visit, values: list[np.ndarray]) -> np.ndarray:
    """Return the output of a layer called with its recorded arguments, with arrays for the graph tensors."""
    tf = tensorflow()
    remaining = iter(values)

    def swap(x: object) -> object:
        return tf.constant(next(remaining)) if hasattr(x, "_keras_history") else x

    args, kwargs = tf.nest.map_structure(swap, visit.arguments)
    return np.asarray(visit.layer.call(*args, **kwargs))

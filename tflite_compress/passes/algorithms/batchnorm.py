"""Re-estimating BatchNorm statistics after a model's weights have changed.

With momentum 0.99 the moving averages lag hundreds of steps behind the weights, which costs a freshly
pruned model more accuracy than the pruning itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_compress.models.keras_types import KerasModel
from tflite_compress.models.network import default_batch_size
from tflite_compress.support.backend import tensorflow, tf_keras

MAX_SAMPLES = 8192
MIN_BATCH = 128  # samples: the variance within smaller batches is too low


def reestimate_batchnorm(
    model: KerasModel,
    inputs: tuple[np.ndarray, ...],
    seed: int,
    rows: np.ndarray | None = None,
) -> bool:
    """Replace moving mean and variance by plain averages over batches of real data.

    Dropout and other noise is off, so that the statistics are those of inference.

    Args:
        model: A tf_keras model; changed in place.
        inputs: Samples to average over, one array for each input.
        seed: Seed of the choice of samples.
        rows: Indices of the samples to choose from, int64; None for all.

    Returns:
        True where the model has BatchNorm layers to re-estimate.
    """
    keras2, tf = tf_keras(), tensorflow()
    norms = [layer for layer in _leaves(model) if isinstance(layer, keras2.layers.BatchNormalization)]
    norms = [layer for layer in norms if layer.trainable]
    if not norms:
        return False
    rows = np.arange(len(inputs[0])) if rows is None else rows
    count = min(len(rows), MAX_SAMPLES)
    order = rows[np.random.default_rng(seed).permutation(len(rows))[:count]]
    batch_size = max(MIN_BATCH, default_batch_size(inputs))
    momenta = [layer.momentum for layer in norms]
    noisy = [
        (layer, layer.rate) for layer in _leaves(model) if isinstance(getattr(layer, "rate", None), float)
    ]
    try:
        for layer, _ in noisy:
            layer.rate = 0.0
        for index, start in enumerate(range(0, count, batch_size)):
            chosen = order[start : start + batch_size]
            if index and len(chosen) < batch_size // 2:
                break  # too few samples for a variance worth averaging in
            for layer in norms:
                layer.momentum = index / (index + 1)
            batch = [tf.constant(x[chosen]) for x in inputs]
            model(batch if len(batch) > 1 else batch[0], training=True)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        for layer, rate in noisy:
            layer.rate = rate
    return True


def _leaves(model: Any) -> list[Any]:
    """Return all layers, including those in wrappers and nested models."""
    return [layer for layer in model._flatten_layers(include_self=False)]

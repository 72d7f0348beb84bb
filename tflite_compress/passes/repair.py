"""Whether a repair helped: the quantized model with it and without, measured on the calibration samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_compress.errors import ConversionError
from tflite_compress.models.network import keras_network
from tflite_compress.passes.base import Context, Model

if TYPE_CHECKING:
    from tflite_compress.models.network import Network

SAME_FUNCTION = 1e-3


@dataclass(frozen=True)
class Quality:
    """How good a quantized model is.

    Attributes:
        score: Accuracy on the calibration samples; agreement with the original where they have no labels.
        snr_db: Signal-to-noise ratio of its outputs against the original's.
    """

    score: float
    snr_db: float

    def __str__(self) -> str:
        return f"{self.score:.4f} and {self.snr_db:.1f} dB"

    def better_than(self, other: Quality) -> bool:
        """More accurate, or as accurate and closer to the original."""
        return (round(self.score, 6), self.snr_db) > (round(other.score, 6), other.snr_db)


def quality(network: Network, numeric: Any, per_channel: bool, context: Context) -> Quality:
    """Quantize a network and measure it.

    Raises:
        ConversionError: The converter refuses it.
    """
    from tflite_compress.metrics import apply_metric, decisions
    from tflite_compress.passes.convert import Convert, convert, unrolled
    from tflite_compress.reference import distance
    from tflite_compress.runtimes.litert import predict

    reference = context.reference
    samples = reference.splits.calibrate
    config = Convert(numeric=numeric, io="float32", per_channel=per_channel)
    content, _ = convert(unrolled(network), config, samples.inputs, lambda n: None)
    outputs = predict(content, samples.inputs, *network.port_names)
    originals = reference.network.predict(samples.inputs)
    targets = samples.labels
    if targets is None or not reference.labelled:
        targets = tuple(decisions(h, o) for h, o in zip(reference.heads, originals, strict=True))
    rows = zip(reference.metrics, targets, outputs, strict=True)
    signed = [apply_metric(m, t, o) * (1 if m.higher_is_better else -1) for m, t, o in rows]
    score = float(np.mean(signed))
    return Quality(score, distance(originals, outputs)["snr_db"])


def keep_if_better(name: str, model: Model, repaired: Any, config: Any, context: Context) -> Model:
    """The repaired model, if quantized it is better than the unrepaired one; else that with a note.

    Args:
        name: The pass.
        model: The model as it was.
        repaired: The changed tf_keras model.
        config: The pass's settings, with ``numeric`` and ``per_channel``.
        context: Data and progress.
    """
    network = model.network
    changed = keras_network(repaired, network.name, True)
    changed = replace(changed, inputs=network.inputs, outputs=network.outputs)
    with context.progress.step(f"{name}: measuring with and without"):
        try:
            before = quality(network, config.numeric, config.per_channel, context)
            after = quality(changed, config.numeric, config.per_channel, context)
        except ConversionError as error:
            return model.noting(f"{name} left out: {error.message}")
    figures = f"{before} before, {after} after"
    if not after.better_than(before):
        return model.noting(f"{name} left out, it did not help on the calibration samples: {figures}")
    return replace(model, network=changed).noting(f"{name} helped on the calibration samples: {figures}")


def same_function(first: Any, second: Any, context: Context) -> bool:
    """True where two tf_keras models compute the same on the calibration samples, up to rounding."""
    inputs = context.reference.splits.calibrate.inputs
    pairs = [keras_network(m, "m", True).predict(inputs) for m in (first, second)]
    return all(
        float(np.max(np.abs(a - b))) <= SAME_FUNCTION * max(1.0, float(np.max(np.abs(a))))
        for a, b in zip(*pairs, strict=True)
    )

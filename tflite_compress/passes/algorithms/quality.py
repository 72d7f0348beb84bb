"""Compare the quantized model with and without a repair on the calibration samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.models.keras_types import KerasModel
from tflite_compress.models.network import keras_network
from tflite_compress.passes.algorithms.file_agreement import Compared
from tflite_compress.passes.base import Context
from tflite_compress.passes.convert import flatbuffer
from tflite_compress.passes.values import FloatModel
from tflite_compress.scoring.agreement import compare_agreement
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.models.network import Network
    from tflite_compress.passes.repair import Repair


SAME_FUNCTION = 1e-3
NOISELESS_DB = 90.0
CLEAR = 0.001  # a smaller gain of agreement or score may be rounding
CLEAR_DB = 1.0


@dataclass(frozen=True, eq=False)
class Quality:
    """The quality of a quantized model.

    Attributes:
        score: By the metric, on the calibration samples; the original's outputs are the targets where there
            are no labels. Errors are negative. With several outputs, 1 minus the accuracy drop of the worst.
        snr_db: Signal-to-noise ratio of its outputs against the original's.
        agreement: Of its outputs with the original's by sample, float64, shape (samples,); see
            ``scoring.agreement``. None where outputs are scored together, such as boxes and their scores:
            errors of boxes in pixels would hide those of the scores.
    """

    score: float
    snr_db: float
    agreement: np.ndarray | None

    def __str__(self) -> str:
        agreement = "" if self.agreement is None else f", agreement {self.agreement.mean():.4f}"
        return f"{self.score:.4f}{agreement}, {self.snr_db:.1f} dB"

    @property
    def rank(self) -> tuple[float, float]:
        """Key to sort by, worst first: mean agreement, or the score without it, then ``snr_db``."""
        first = self.score if self.agreement is None else float(self.agreement.mean())
        return round(first, 6), min(self.snr_db, NOISELESS_DB)

    def better_than(self, other: Quality, candidates: int = 1) -> bool:
        """Return whether this one is better.

        The one whose outputs agree significantly more with the original's is better. If neither agrees
        significantly more, it is the one with less noise. The score is not compared, because a single label
        can decide it where samples are few. It decides only where outputs are scored together.

        Args:
            other: Quality on the same samples.
            candidates: Number of files that are compared with the other.
        """
        if self.agreement is None or other.agreement is None:
            return self.rank > other.rank
        gain = compare_agreement(other.agreement, self.agreement, candidates)
        if gain.is_significant or gain.is_significant_loss:
            return gain.is_significant
        return self.rank[1] > other.rank[1]

    def clearly_better_than(self, other: Quality, candidates: int = 1) -> bool:
        """Return whether this one is better by more than chance or rounding.

        Its outputs must agree significantly more with the original's, by more than ``CLEAR``, or have over
        ``CLEAR_DB`` less noise and not agree significantly less. Outputs that are scored together are
        compared by their score instead.

        Args:
            other: Quality on the same samples.
            candidates: Number of files that are compared with the other.
        """
        is_closer = self.rank[1] > other.rank[1] + CLEAR_DB
        if self.agreement is None or other.agreement is None:
            return self.score > other.score + CLEAR or (is_closer and self.score >= other.score)
        gain = compare_agreement(other.agreement, self.agreement, candidates)
        is_higher = gain.is_significant and gain.mean > CLEAR
        return is_higher or (is_closer and not gain.is_significant_loss)

    def gain_over(self, other: Quality) -> float:
        """Return by how much agreement is higher, or the score where outputs are scored together.

        Args:
            other: Quality on the same samples.
        """
        return self.rank[0] - other.rank[0]


def quality(model: FloatModel, config: Repair, context: Context) -> Quality:
    """Return the quality of a model after quantization.

    Args:
        model: The model.
        config: Settings of a repair, with the conversion.
        context: Data; its calibration samples are for the conversion, and judge.

    Raises:
        ConversionError: The converter refuses it.
    """
    content, _ = flatbuffer(config.conversion, model, context)
    return context.shared.once(
        "quality", model.network, content, lambda: quality_of(content, model.network, context)
    )


def quality_of(content: bytes, network: Network, context: Context) -> Quality:
    """Return the quality of a quantized file on the calibration samples.

    Raises:
        ConversionError: The runtime refuses it.
    """
    from tflite_compress.runtimes.litert import predict

    inputs = context.reference.splits.calibrate.inputs
    return _quality_of_outputs(network.joined(predict(content, inputs, *network.tensor_names)), context)


def _quality_of_outputs(outputs: tuple[np.ndarray, ...], context: Context) -> Quality:
    """Return the quality of a quantized file by its outputs on the calibration samples."""
    from tflite_compress.scoring.metrics import apply_metric
    from tflite_compress.scoring.reference import distance

    reference = context.reference.on_calibration
    samples = reference.splits.calibrate
    originals = context.reference.calibration_outputs
    targets = reference.labelled_targets(samples)
    if targets is None:
        targets = reference.targets_from(originals)
    pair = reference.scored(originals), reference.scored(outputs)
    rows = zip(reference.metrics, targets, *pair, strict=True)
    found = [(m, apply_metric(m, t, before), apply_metric(m, t, after)) for m, t, before, after in rows]
    metric, _, value = found[0]
    score = value if metric.higher_is_better else -value
    if len(found) > 1:
        score = 1 - max(metric.drop(before, after) for metric, before, after in found)
    agreement = None
    if reference.joint is None:
        agreement = Compared(samples.inputs, originals, context).agreement(outputs)
    return Quality(score, distance(originals, outputs)["snr_db"], agreement)


def with_handle(model: FloatModel, handle: KerasModel) -> FloatModel:
    """Return the model with another tf_keras model of the same inputs and outputs."""
    network = model.network
    changed = keras_network(handle, network.name, True)
    changed = replace(changed, inputs=network.inputs, outputs=network.outputs)
    return replace(model, network=replace(changed, joined_outputs=network.joined_outputs))


def keep_if_better(
    name: str,
    model: FloatModel,
    changed: FloatModel,
    config: Repair,
    context: Context,
    judging: Context | None = None,
) -> FloatModel:
    """Return the repaired model if it is better after quantization, else the original model with a note.

    Args:
        name: The pass.
        model: The model as it was.
        changed: The repaired one.
        config: The pass's settings.
        context: Data and progress.
        judging: A context whose calibration samples judge the repair; None for the same.
    """
    with context.progress.step(f"{name}: measuring with and without"):
        try:
            if judging is None:
                before, after = (quality(m, config, context) for m in (model, changed))
            else:
                before, after = (
                    quality_of(flatbuffer(config.conversion, m, context)[0], m.network, judging)
                    for m in (model, changed)
                )
        except ConversionError as error:
            return model.noting(Note("pass-left-out", f"{name} left out: {error.message}"))
    figures = f"{before} before, {after} after"
    where = "the calibration samples" if judging is None else "samples that it did not learn from"
    if not after.better_than(before):
        return model.noting(Note("pass-left-out", f"{name} left out, it did not help on {where}: {figures}"))
    return changed.noting(Note("repair-helped", f"{name} helped on {where}: {figures}"))


def same_function(first: KerasModel, second: KerasModel, context: Context) -> bool:
    """Return True if two tf_keras models have equal outputs on the calibration samples, up to rounding."""
    inputs = context.reference.splits.calibrate.inputs
    pairs = [keras_network(m, "m", True).predict(inputs) for m in (first, second)]
    return all(
        float(np.max(np.abs(a - b))) <= SAME_FUNCTION * max(1.0, float(np.max(np.abs(a))))
        for a, b in zip(*pairs, strict=True)
    )

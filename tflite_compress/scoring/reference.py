"""The original model's outputs: the reference for accuracy and the teacher for distillation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_compress.data.samples import Samples
from tflite_compress.data.split import Splits
from tflite_compress.models.network import Network
from tflite_compress.scoring.metrics import (
    METRICS,
    Head,
    Metric,
    ScoreFunction,
    apply_metric,
    decide,
    default_metric,
    fitting_metric,
    infer_head,
    resolve_metric,
)
from tflite_compress.support.errors import UsageError
from tflite_compress.support.references import reference_name

Outputs = tuple[np.ndarray, ...]
LossFunction = Callable[[Any, Any], Any]  # (targets, predictions) -> loss, as Keras tensors


@dataclass(frozen=True)
class Score:
    """Accuracy of a model on the evaluation samples.

    Attributes:
        value: Mean over the outputs.
        by_output: The score of each output.
    """

    value: float
    by_output: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Reference:
    """The original model on the data.

    Attributes:
        network: The original model.
        splits: The data.
        heads: The meaning of each output.
        metrics: One metric per output.
        labelled: True if scores compare with labels, False if with the original's outputs.
        loss: The user's loss for training, or None for those of the heads.
    """

    network: Network
    splits: Splits
    heads: tuple[Head, ...]
    metrics: tuple[Metric, ...]
    labelled: bool
    loss: str | LossFunction | None = None

    @functools.cached_property
    def evaluation_outputs(self) -> Outputs:
        """Outputs of the original on the evaluation samples."""
        return self.network.predict(self.splits.evaluate.inputs)

    @functools.cached_property
    def calibration_outputs(self) -> Outputs:
        """Outputs of the original on the calibration samples; repairs compare with them."""
        return self.network.predict(self.splits.calibrate.inputs)

    @functools.cached_property
    def training_outputs(self) -> Outputs:
        """Outputs of the original on the training samples; distillation trains on them."""
        return self.network.predict(self.splits.train.inputs)

    @functools.cached_property
    def targets(self) -> Outputs:
        """Targets of the evaluation samples."""
        if self.labelled and self.splits.evaluate.labels is not None:
            return self.splits.evaluate.labels
        return self.targets_from(self.evaluation_outputs)

    def targets_from(self, outputs: Outputs) -> Outputs:
        """Return the targets that the original's outputs are where there are no labels.

        Args:
            outputs: Outputs of the original, one array per output, shape (samples, ...).
        """
        rows = zip(self.metrics, self.heads, outputs, strict=True)
        return tuple(
            output if metric.compares_values else decide(head, output) for metric, head, output in rows
        )

    @functools.cached_property
    def score(self) -> Score:
        """Score of the original; 1 if there are no labels."""
        return self.score_of(self.evaluation_outputs)

    @functools.cached_property
    def on_calibration(self) -> Reference:
        """The same reference with the calibration samples for evaluation: passes choose settings by them."""
        return replace(self, splits=replace(self.splits, evaluate=self.splits.calibrate))

    def score_of(self, outputs: Outputs) -> Score:
        """Score outputs on the evaluation samples.

        Args:
            outputs: One array per output, shape (samples, ...).
        """
        rows = zip(self.metrics, self.targets, outputs, strict=True)
        values = tuple(apply_metric(metric, target, output) for metric, target, output in rows)
        return Score(float(np.mean(values)), values)

    def drops_of(self, score: Score) -> tuple[float, ...]:
        """Return how much worse each output is than that of the original; see :meth:`Metric.drop`."""
        rows = zip(self.metrics, self.score.by_output, score.by_output, strict=True)
        return tuple(metric.drop(before, after) for metric, before, after in rows)

    def worst_of(self, score: Score) -> int:
        """Return the index of the output that is worst against the original: it decides."""
        return int(np.argmax(self.drops_of(score)))

    def drop_of(self, score: Score) -> float:
        """Return how much worse the worst output is than that of the original."""
        return max(self.drops_of(score))

    def metric_of(self, output: int) -> str:
        """Return the name of an output's metric, including what it compares with."""
        name = self.metrics[output].name
        return name if self.labelled else f"{name} agreement with the original"

    @property
    def metric_name(self) -> str:
        """Name of the metric, including what it compares with."""
        name = self.metrics[0].name if len({m.name for m in self.metrics}) == 1 else "mean of outputs"
        return name if self.labelled else f"{name} agreement with the original"


def make_reference(
    network: Network,
    splits: Splits,
    loss_hint: str | None,
    metric: str | ScoreFunction | None,
    loss: str | LossFunction | None,
) -> Reference:
    """Run the original model on a few samples and infer the meaning of its outputs.

    Args:
        network: The original model.
        splits: The data.
        loss_hint: Name of the loss the model was compiled with, or None.
        metric: The user's metric, see :func:`resolve_metric`; None infers it.
        loss: The user's loss for training: a Keras name, or a function ``(targets, predictions) -> loss`` of
            tensors, as a callable or as ``module:function``; None infers it.

    Raises:
        UsageError: The metric is unknown, or it needs labels and there are none.
    """
    probe: Samples = splits.evaluate.take(np.arange(min(256, len(splits.evaluate))))
    outputs = network.predict(probe.inputs)
    labels = probe.labels or (None,) * len(outputs)
    named = reference_name(loss) if loss is not None else loss_hint
    heads = tuple(infer_head(o, y, named) for o, y in zip(outputs, labels, strict=True))
    labelled = splits.evaluate.labels is not None
    targets = tuple(
        decide(head, output) if label is None else label
        for head, output, label in zip(heads, outputs, labels, strict=True)
    )
    metrics = tuple(
        fitting_metric(head, target, labelled) if metric is None else resolve_metric(metric)
        for head, target in zip(heads, targets, strict=True)
    )
    if metric is not None and metric not in METRICS and not labelled:
        raise UsageError(
            f"metric={reference_name(metric)} needs labels, and the data has none",
            "Add labels to the data, or leave the metric out.",
        )
    if not labelled:
        metrics = tuple(_against_decide(head, m) for head, m in zip(heads, metrics, strict=True))
    return Reference(network, splits, heads, metrics, labelled, loss)


def _against_decide(head: Head, metric: Metric) -> Metric:
    """Replace an error metric by r2: without labels the original's error is 0."""
    return metric if metric.higher_is_better else default_metric(Head("regression", head.from_logits))


def distance(reference: Outputs, outputs: Outputs) -> dict[str, float]:
    """Compare outputs with those of the original; the worst output decides each figure.

    Args:
        reference: Outputs of the original, one array per output, shape (samples, ...).
        outputs: Other outputs of the same shapes.

    Returns:
        ``max_abs`` and ``mean_abs``: absolute difference. ``cosine``: cosine similarity. ``snr_db``:
        signal-to-noise ratio in dB, 999 for equal outputs.
    """
    found = [_distance_of_one(a, b) for a, b in zip(reference, outputs, strict=True)]
    worst = {"max_abs": max, "mean_abs": max, "cosine": min, "snr_db": min}
    return {name: choose(each[name] for each in found) for name, choose in worst.items()}


def _distance_of_one(reference: np.ndarray, output: np.ndarray) -> dict[str, float]:
    a, b = (x.reshape(-1).astype(np.float64) for x in (reference, output))
    noise = float(np.sum((a - b) ** 2))
    signal = float(np.sum(a**2))
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return {
        "max_abs": float(np.max(np.abs(a - b), initial=0.0)),
        "mean_abs": float(np.mean(np.abs(a - b))),
        "cosine": float(np.dot(a, b) / norms) if norms > 0 else float(noise == 0),
        "snr_db": _decibels(signal, noise),
    }


def _decibels(signal: float, noise: float) -> float:
    """Return a signal-to-noise ratio in dB: 999 without noise, -999 for noise where the original is 0."""
    if noise == 0:
        return 999.0
    return 10 * float(np.log10(signal / noise)) if signal > 0 else -999.0

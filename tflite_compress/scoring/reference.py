"""The original model's answers: the yardstick for accuracy and the teacher for distillation."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from tflite_compress.data.samples import Samples
from tflite_compress.data.split import Splits
from tflite_compress.models.network import Network
from tflite_compress.scoring.metrics import (
    Head,
    Metric,
    apply_metric,
    decisions,
    given_metric,
    infer_head,
    metric_for,
)
from tflite_compress.support.errors import UsageError

Outputs = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Score:
    """Accuracy of a model on the evaluation samples.

    Attributes:
        value: Mean over the outputs.
        by_output: Each output's own score.
    """

    value: float
    by_output: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Reference:
    """The original model on the data.

    Attributes:
        network: The original model.
        splits: The data.
        heads: What each output means.
        metrics: One metric for each output; all outputs of a model are scored by the same kind.
        labelled: Scores compare with labels; otherwise with the original's own answers.
        loss: A loss the user named for training, or None for the heads' own.
    """

    network: Network
    splits: Splits
    heads: tuple[Head, ...]
    metrics: tuple[Metric, ...]
    labelled: bool
    loss: str | None = None

    @functools.cached_property
    def evaluation_outputs(self) -> Outputs:
        """The original's outputs on the evaluation samples."""
        return self.network.predict(self.splits.evaluate.inputs)

    @functools.cached_property
    def calibration_outputs(self) -> Outputs:
        """The original's outputs on the calibration samples: what repairs are measured against."""
        return self.network.predict(self.splits.calibrate.inputs)

    @functools.cached_property
    def training_outputs(self) -> Outputs:
        """The original's outputs on the training samples: what distillation imitates."""
        return self.network.predict(self.splits.train.inputs)

    @functools.cached_property
    def targets(self) -> Outputs:
        """What evaluation scores compare with."""
        if self.labelled and self.splits.evaluate.labels is not None:
            return self.splits.evaluate.labels
        outputs = zip(self.heads, self.evaluation_outputs, strict=True)
        return tuple(decisions(head, output) for head, output in outputs)

    @functools.cached_property
    def score(self) -> Score:
        """The original's own score; 1 by definition where there are no labels."""
        return self.score_of(self.evaluation_outputs)

    def score_of(self, outputs: Outputs) -> Score:
        """Score outputs on the evaluation samples.

        Args:
            outputs: One array for each output, shape (samples, ...).
        """
        rows = zip(self.metrics, self.targets, outputs, strict=True)
        values = tuple(apply_metric(metric, target, output) for metric, target, output in rows)
        return Score(float(np.mean(values)), values)

    def drop_of(self, score: Score) -> float:
        """How much worse ``score`` is than the original's; see :meth:`Metric.drop`."""
        return self.metrics[0].drop(self.score.value, score.value)

    @property
    def metric_name(self) -> str:
        """Name of the metric, with what it compares to."""
        name = self.metrics[0].name if len({m.name for m in self.metrics}) == 1 else "mean of outputs"
        return name if self.labelled else f"{name} agreement with the original"


def make_reference(
    network: Network, splits: Splits, loss_hint: str | None, metric: str | None, loss: str | None
) -> Reference:
    """Run the original on a few samples and settle what its outputs mean.

    Args:
        network: The original model.
        splits: The data.
        loss_hint: The loss the model was compiled with.
        metric: The user's metric, or None to infer.
        loss: The user's loss, or None to infer.

    Raises:
        UsageError: A metric that needs labels was named and there are none.
    """
    probe: Samples = splits.evaluate.take(np.arange(min(256, len(splits.evaluate))))
    outputs = network.predict(probe.inputs)
    labels = probe.labels or (None,) * len(outputs)
    heads = tuple(infer_head(o, y, loss or loss_hint) for o, y in zip(outputs, labels, strict=True))
    metrics = tuple(given_metric(metric) if metric else metric_for(head) for head in heads)
    labelled = splits.evaluate.labels is not None
    if metric and not labelled and ":" in metric:
        raise UsageError(
            f"--metric={metric} needs labels, and the data has none", "Give labels, or no --metric."
        )
    if not labelled:
        metrics = tuple(_against_decisions(head, m) for head, m in zip(heads, metrics, strict=True))
    return Reference(network, splits, heads, metrics, labelled, loss)


def _against_decisions(head: Head, metric: Metric) -> Metric:
    """Errors have no meaning against themselves (the original's is 0), so r2 stands in for them."""
    return metric if metric.higher_is_better else metric_for(Head("regression", head.from_logits))


def distance(reference: Outputs, outputs: Outputs) -> dict[str, float]:
    """How far outputs are from the original's.

    Returns:
        Largest and mean absolute difference, cosine similarity, and signal-to-noise ratio in dB
        (``inf`` never appears: exact equality gives 999).
    """
    a = np.concatenate([x.reshape(-1) for x in reference]).astype(np.float64)
    b = np.concatenate([x.reshape(-1) for x in outputs]).astype(np.float64)
    noise = float(np.sum((a - b) ** 2))
    signal = float(np.sum(a**2))
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return {
        "max_abs": float(np.max(np.abs(a - b), initial=0.0)),
        "mean_abs": float(np.mean(np.abs(a - b))),
        "cosine": float(np.dot(a, b) / norms) if norms > 0 else 1.0,
        "snr_db": 10 * float(np.log10(signal / noise)) if noise > 0 and signal > 0 else 999.0,
    }

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
from tflite_compress.scoring.choose_task import (
    OutputMeaning,
    choose_joint,
    choose_meaning,
    joint_task,
    tasks_of_outputs,
)
from tflite_compress.scoring.joint_output import NO_HEAD, HeadOptions, JointOutput, ModelSample
from tflite_compress.scoring.metrics import (
    METRICS,
    Head,
    Metric,
    ScoreFunction,
    apply_metric,
    decide,
    infer_head,
)
from tflite_compress.scoring.task_types import OutputSample, Task
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
        metrics: One metric per output, or one for all outputs together.
        labelled: True if scores compare with labels, False if with the original's outputs.
        loss: The user's loss for training, or None for those of the heads.
        tasks: The task of each metric; None where values and loss decided an output's head. Empty without
            any.
        joint: What all outputs are together, if they are scored together; else None.
    """

    network: Network
    splits: Splits
    heads: tuple[Head, ...]
    metrics: tuple[Metric, ...]
    labelled: bool
    loss: str | LossFunction | None = None
    tasks: tuple[Task | None, ...] = ()
    joint: JointOutput | None = None

    @property
    def scored_names(self) -> tuple[str, ...]:
        """What each metric scores: the names of the outputs, or the name of what they are together."""
        return self.network.tensor_names[1] if self.joint is None else (self.joint.name,)

    def scored(self, outputs: Outputs) -> Outputs:
        """Return one array per metric: the outputs, or the one array that they make together.

        Args:
            outputs: One array per output, shape (samples, ...).
        """
        return outputs if self.joint is None else (self.joint.combine(outputs),)

    def output_labels(self, samples: Samples) -> tuple[np.ndarray | None, ...]:
        """Return the labels of each output; None without labels, and for labels of all outputs together."""
        if samples.labels is None or self.joint is not None:
            return (None,) * len(self.heads)
        return samples.labels

    @functools.cached_property
    def scored_originals(self) -> Outputs:
        """What the metrics score of the original on the evaluation samples."""
        return self.scored(self.evaluation_outputs)

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
    def unlabelled_outputs(self) -> Outputs | None:
        """Outputs of the original on the unlabelled samples; None without any."""
        samples = self.splits.unlabelled
        return None if samples is None else self.network.predict(samples.inputs)

    @functools.cached_property
    def targets(self) -> Outputs:
        """Targets of the evaluation samples."""
        given = self.labelled_targets(self.splits.evaluate)
        return self.targets_from(self.evaluation_outputs) if given is None else given

    def labelled_targets(self, samples: Samples) -> Outputs | None:
        """Return what the metrics compare with, made of labels; None without labels.

        Args:
            samples: Samples of the data.
        """
        if not self.labelled or samples.labels is None:
            return None
        tasks = self.tasks or (None,) * len(samples.labels)
        rows = zip(tasks, samples.labels, strict=True)
        return tuple(y if task is None else task.make_targets(y, samples.inputs[0]) for task, y in rows)

    def targets_from(self, outputs: Outputs) -> Outputs:
        """Return the targets that the original's outputs are where there are no labels.

        Args:
            outputs: Outputs of the original, one array per output, shape (samples, ...).
        """
        if self.joint is not None:
            return tuple(self.joint.as_labels(array) for array in self.scored(outputs))
        rows = zip(self.metrics, self.heads, outputs, strict=True)
        return tuple(
            output if metric.compares_values else decide(head, output) for metric, head, output in rows
        )

    @functools.cached_property
    def score(self) -> Score:
        """Score of the original; 1 if there are no labels."""
        return self._score(self.scored_originals)

    @functools.cached_property
    def on_calibration(self) -> Reference:
        """The same reference with the calibration samples for evaluation: passes choose settings by them.

        Where labels say nothing about single outputs, it compares with the original: these samples often
        lack what the metric needs, such as anomalies.
        """
        found = replace(self, splits=replace(self.splits, evaluate=self.splits.calibrate))
        if not any(task is not None and not task.trains_on_labels for task in self.tasks):
            return found
        usable = (m.higher_is_better and not m.needs_labels for m in self.metrics)
        metrics = tuple(m if good else METRICS["r2"] for m, good in zip(self.metrics, usable, strict=True))
        return replace(found, metrics=metrics, labelled=False)

    def training_on(self, rows: np.ndarray) -> Reference:
        """Return the same reference with some of the training samples.

        Args:
            rows: Their indices, shape (samples,).
        """
        found = replace(self, splits=replace(self.splits, train=self.splits.train.take(rows)))
        vars(found)["training_outputs"] = tuple(y[rows] for y in self.training_outputs)
        return found

    def score_of(self, outputs: Outputs) -> Score:
        """Score outputs on the evaluation samples.

        Args:
            outputs: One array per output, shape (samples, ...).
        """
        return self._score(self.scored(outputs))

    def _score(self, scored: Outputs) -> Score:
        rows = zip(self.metrics, self.targets, scored, strict=True)
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
    task: str | None = None,
    head: HeadOptions = NO_HEAD,
) -> Reference:
    """Run the original model on a few samples and infer the meaning of its outputs.

    Args:
        network: The original model.
        splits: The data.
        loss_hint: Name of the loss the model was compiled with, or None.
        metric: The user's metric, see :func:`resolve_metric`; None infers it.
        loss: The user's loss for training: a Keras name, or a function ``(targets, predictions) -> loss`` of
            tensors, as a callable or as ``module:function``; None infers it.
        task: Name of the task, or one for each output separated by commas; None infers it.
        head: How the outputs of a detector are read.

    Raises:
        DataError: Outputs and labels do not fit the task.
        UsageError: The metric or task is unknown, or the metric needs labels and there are none.
    """
    probe: Samples = splits.evaluate.take(np.arange(min(256, len(splits.evaluate))))
    outputs = network.predict(probe.inputs)
    labelled = splits.evaluate.labels is not None
    together = joint_task(task, metric, probe.has_boxes)
    if together is not None:
        boxes = None if probe.labels is None else probe.labels[0]
        sample = ModelSample(outputs, boxes, probe.inputs[0], head)
        joint, one = choose_joint(together, sample, metric)
        alike = (Head("regression", False),) * len(outputs)
        return Reference(network, splits, alike, (one,), labelled, loss, (together,), joint)
    labels = probe.labels or (None,) * len(outputs)
    named = reference_name(loss) if loss is not None else loss_hint
    found: list[OutputMeaning] = [
        choose_meaning(OutputSample(o, y, probe.inputs[0], infer_head(o, y, named)), chosen, metric)
        for o, y, chosen in zip(outputs, labels, tasks_of_outputs(task, len(outputs)), strict=True)
    ]
    heads, metrics, tasks = (tuple(column) for column in zip(*found, strict=True))
    return Reference(network, splits, heads, metrics, labelled, loss, tasks)


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

"""Targets and losses of distillation: the changed model learns the outputs of the original model.

Hinton et al., "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531). Cross-entropy is
linear in its target, so mixing the teacher's answer with the label gives the mix of the two losses;
labels are therefore optional, and targets are computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.passes.base import Context
from tflite_compress.scoring.agreement import probabilities
from tflite_compress.scoring.metrics import Head, decide
from tflite_compress.scoring.reference import LossFunction, Outputs, Reference
from tflite_compress.support.backend import tensorflow, tf_keras
from tflite_compress.support.errors import DataError
from tflite_compress.support.references import reference_name, resolve_reference

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import Tensor


def training_targets(context: Context, distill: float) -> tuple[np.ndarray, ...]:
    """Return the target outputs on the samples for fine-tuning, see ``Splits.learned_inputs``.

    They are a mix of teacher outputs and labels, and teacher outputs where there is no label.

    Raises:
        DataError: A loss function of the user gets labels, which some samples lack.
    """
    reference = context.reference
    labels = reference.output_labels(reference.splits.train)
    targets = _targets(reference, reference.training_outputs, labels, distill)
    if reference.unlabelled_outputs is None:
        return targets
    others = _targets(reference, reference.unlabelled_outputs, (None,) * len(labels), distill)
    shapes = [(a.shape[1:], b.shape[1:]) for a, b in zip(targets, others, strict=True)]
    if any(a != b for a, b in shapes):
        raise DataError(
            f"--loss={reference_name(reference.loss or '')} needs labels, which unlabelled samples lack",
            "Leave out --unlabelled or --loss.",
        )
    return tuple(np.concatenate(pair) for pair in zip(targets, others, strict=True))


def _targets(
    reference: Reference, teachers: Outputs, labels: tuple[np.ndarray | None, ...], distill: float
) -> tuple[np.ndarray, ...]:
    if reference.loss is not None:
        name = reference_name(reference.loss).lower()
        return tuple(_given_loss_targets(reference.heads, teachers, labels, name))
    targets = []
    for index, (head, teacher) in enumerate(zip(reference.heads, teachers, strict=True)):
        soft = probabilities(head, teacher)
        task = reference.tasks[index] if reference.tasks and reference.joint is None else None
        given = labels[index]
        if given is not None and distill < 1 and (task is None or task.trains_on_labels):
            hard = _where_labelled(head, _shaped_like(given, soft), soft)
            soft = (distill * soft + (1 - distill) * hard).astype(np.float32)
        targets.append(soft)
    return tuple(targets)


def _given_loss_targets(
    heads: tuple[Head, ...], teachers: Outputs, labels: tuple[np.ndarray | None, ...], loss: str
) -> Iterator[np.ndarray]:
    """Return the targets of a user's loss: labels, or the outputs of the teacher if there are none."""
    for head, teacher, given in zip(heads, teachers, labels, strict=True):
        if "sparse" in loss:
            decided = decide(head, teacher)
            yield decided if given is None else _where_labelled(head, given, decided)
        elif given is None:
            yield probabilities(head, teacher)
        elif ":" in loss:
            yield given
        else:
            yield _where_labelled(head, _shaped_like(given, teacher), probabilities(head, teacher))


def training_losses(context: Context) -> list[LossFunction]:
    """Return one Keras loss per output: the user's loss, or the default loss of the output's head."""
    reference = context.reference
    if reference.loss is not None:
        return [user_loss(reference.loss)] * len(reference.heads)
    pairs = zip(reference.heads, reference.training_outputs, strict=True)
    return [_head_loss(head, float(np.var(teacher))) for head, teacher in pairs]


def user_loss(name: str | LossFunction) -> LossFunction:
    """Return the loss that a user gave: a function, a Keras name, or ``module:function``.

    Raises:
        DataError: Keras has no loss of that name.
        UsageError: There is no such module or function.
    """
    if not isinstance(name, str):
        return name
    if ":" in name:
        named: LossFunction = resolve_reference(name, "--loss")
        return named
    try:
        known: LossFunction = tf_keras().losses.get(name)
    except ValueError as error:
        raise DataError(f"--loss={name}: unknown", "Use a Keras loss name or module:function.") from error
    return known


def _head_loss(head: Head, variance: float) -> LossFunction:
    losses = tf_keras().losses
    if head.task == "classification":
        return losses.CategoricalCrossentropy(from_logits=head.from_logits)  # type: ignore[no-any-return]
    if head.task == "binary":
        return losses.BinaryCrossentropy(from_logits=head.from_logits)  # type: ignore[no-any-return]
    scale = 1.0 / max(variance, 1e-12)  # one learning rate then suits targets of any size

    def scaled_mse(target: Tensor, predicted: Tensor) -> object:
        tf = tensorflow()
        return tf.reduce_mean(tf.square(target - predicted), axis=-1) * scale

    return scaled_mse


def _shaped_like(labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return labels in the shape of the outputs. Class numbers become one-hot rows."""
    if labels.ndim == outputs.ndim - 1 and outputs.shape[-1] > 1:
        classes = np.arange(outputs.shape[-1])  # a negative number, such as of ignored pixels, is no class
        return np.asarray(labels[..., np.newaxis].astype(np.int64) == classes, np.float32)
    return labels.reshape(outputs.shape).astype(np.float32)


def _where_labelled(head: Head, labels: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Return labels with the teacher's answers where a pixel has none, which is -1."""
    if head.task == "regression" or labels.shape != teacher.shape or not (labels < 0).any():
        return labels
    return np.where(labels < 0, teacher, labels).astype(labels.dtype)

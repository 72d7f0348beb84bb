"""Fine-tuning by distillation: the changed model learns the outputs of the original model.

Hinton et al., "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531). Cross-entropy is
linear in its target, so mixing the teacher's answer with the label gives the mix of the two losses;
labels are therefore optional, and targets are computed once.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tflite_compress.passes.base import Context
from tflite_compress.scoring.metrics import Head, decide
from tflite_compress.scoring.reference import LossFunction
from tflite_compress.support.backend import tensorflow, tf_keras
from tflite_compress.support.errors import DataError
from tflite_compress.support.progress import Advance
from tflite_compress.support.references import reference_name, resolve_reference
from tflite_compress.support.time_budget import TimeBudget

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import Tensor
    from tflite_compress.passes.training import Training


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs, min_steps, batch_size, learning_rate, distill: See ``passes.training.Training``.
    """

    epochs: int
    min_steps: int
    batch_size: int
    learning_rate: float
    distill: float

    @classmethod
    def of(cls, training: Training) -> Schedule:
        """Return the schedule of a pass's settings, in which everything is given."""
        return cls(**msgspec.structs.asdict(training))

    def epochs_for(self, samples: int) -> int:
        """Epochs to train on so many samples; the last one may be shorter than the others."""
        return math.ceil(self.total_steps(samples) / self.steps_in_epoch(samples))

    def steps_in_epoch(self, samples: int) -> int:
        """Batches in one epoch."""
        return math.ceil(samples / self.batch_size)

    def total_steps(self, samples: int) -> int:
        """Return the number of batches in the whole training."""
        return max(self.epochs * self.steps_in_epoch(samples), self.min_steps)


def finetune(
    model: Any,
    context: Context,
    schedule: Schedule,
    title: str,
    callbacks: Sequence[object],
    key: str,
    keep_checkpoint: bool = False,
) -> None:
    """Train ``model`` in place to the outputs of the original model.

    After each epoch a checkpoint is written, and an interrupted training with the same key continues
    from it.

    Args:
        model: A tf_keras model with the original's inputs and outputs.
        context: Data, teacher, seed and progress.
        schedule: How long and how fast.
        title: What the progress bar says.
        callbacks: Keras callbacks, for example TF-MOT's.
        key: Names this training among all passes of the run.
        keep_checkpoint: Leave the last checkpoint for a run interrupted later on, which then skips this
            training; :func:`discard_checkpoint` removes it.

    Raises:
        DataError: The loss became NaN.
    """
    keras2 = tf_keras()
    train = context.reference.splits.train
    steps = schedule.total_steps(len(train))
    rate = keras2.optimizers.schedules.CosineDecay(schedule.learning_rate, steps, alpha=0.02)
    with context.progress.step("running the original model on the training data"):
        losses = training_losses(context)
        targets = training_targets(context, schedule.distill)
    model.compile(optimizer=keras2.optimizers.Adam(rate), loss=losses if len(losses) > 1 else losses[0])
    checkpoint = _Checkpoint(model, context, key)
    first_epoch = checkpoint.restore(title)
    epochs = schedule.epochs_for(len(train))
    with context.progress.step(title, steps) as advance:
        advance(first_epoch * schedule.steps_in_epoch(len(train)))
        ticker = _ticker(advance, context.budget)
        for epoch in range(first_epoch, epochs):
            # A permutation of its own for each epoch: a resumed run sees the same batches.
            order = np.random.default_rng((context.seed, epoch)).permutation(len(train))
            left = steps - epoch * schedule.steps_in_epoch(len(train))
            order = order[: left * schedule.batch_size]
            inputs = [x[order] for x in train.inputs]
            wanted = [y[order] for y in targets]
            model.fit(
                inputs if len(inputs) > 1 else inputs[0],
                wanted if len(wanted) > 1 else wanted[0],
                batch_size=schedule.batch_size,
                initial_epoch=epoch,
                epochs=epoch + 1,
                shuffle=False,
                verbose=0,
                callbacks=[*callbacks, ticker],
            )
            done = first_epoch * schedule.steps_in_epoch(len(train)) + ticker.steps
            if context.budget.is_used and done < steps:
                context.budget.cut(f"{title} stopped after {done:,} of {steps:,} steps")
                break
            checkpoint.save(epoch + 1)
    if not keep_checkpoint:
        discard_checkpoint(context, key)


def discard_checkpoint(context: Context, key: str) -> None:
    """Remove the checkpoint of a training that is no longer needed."""
    folder = _checkpoint_folder(context, key)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()  # the run's last one


def training_targets(context: Context, distill: float) -> tuple[np.ndarray, ...]:
    """Return the target outputs on the training samples: a mix of teacher outputs and labels."""
    reference = context.reference
    labels = reference.output_labels(reference.splits.train)
    if reference.loss is not None:
        return tuple(_given_loss_targets(context, reference_name(reference.loss).lower()))
    targets = []
    for index, (head, teacher) in enumerate(zip(reference.heads, reference.training_outputs, strict=True)):
        soft = _probabilities(head, teacher)
        task = reference.tasks[index] if reference.tasks and reference.joint is None else None
        given = labels[index]
        if given is not None and distill < 1 and (task is None or task.trains_on_labels):
            hard = _shaped_like(given, soft)
            soft = (distill * soft + (1 - distill) * hard).astype(np.float32)
        targets.append(soft)
    return tuple(targets)


def _given_loss_targets(context: Context, loss: str) -> Iterator[np.ndarray]:
    """Return the targets of a user's loss: labels, or the outputs of the teacher if there are none."""
    reference = context.reference
    labels = reference.output_labels(reference.splits.train)
    for head, teacher, given in zip(reference.heads, reference.training_outputs, labels, strict=True):
        if "sparse" in loss:
            yield decide(head, teacher) if given is None else given
        elif given is None:
            yield _probabilities(head, teacher)
        else:
            yield given if ":" in loss else _shaped_like(given, teacher)


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


def _probabilities(head: Head, outputs: np.ndarray) -> np.ndarray:
    values = outputs.astype(np.float32)
    if head.task == "classification" and head.from_logits:
        shifted = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
    if head.task == "binary" and head.from_logits:
        return np.asarray(1.0 / (1.0 + np.exp(-values)), np.float32)
    return values


def _shaped_like(labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return labels in the shape of the outputs. Class numbers become one-hot rows."""
    if labels.ndim == outputs.ndim - 1 and outputs.shape[-1] > 1:
        classes = np.arange(outputs.shape[-1])  # a negative number, such as of ignored pixels, is no class
        return np.asarray(labels[..., np.newaxis].astype(np.int64) == classes, np.float32)
    return labels.reshape(outputs.shape).astype(np.float32)


def _ticker(advance: Advance, budget: TimeBudget) -> Any:
    """Return a Keras callback that advances the progress bar, and stops when the time budget is used.

    A training that diverges raises an error.
    """

    class Ticker(tf_keras().callbacks.Callback):  # type: ignore[misc]
        steps = 0

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            advance(1)
            self.steps += 1
            if budget.is_used:
                self.model.stop_training = True
            if not math.isfinite((logs or {}).get("loss", 0.0)):
                raise DataError(
                    "training diverged: the loss is no longer a number",
                    "Lower the learning rate, for example --learning-rate=0.0003.",
                )

    return Ticker()


def _checkpoint_folder(context: Context, key: str) -> Path | None:
    if context.checkpoints is None:
        return None
    return context.checkpoints / hashlib.sha256(key.encode()).hexdigest()[:20]


class _Checkpoint:
    """Training state on disk, in one folder per run and pass."""

    def __init__(self, model: Any, context: Context, key: str) -> None:
        tf = tensorflow()
        self._say = context.progress.say
        self._folder = _checkpoint_folder(context, key)
        self._epoch = tf.Variable(0, dtype=tf.int64)
        self._state = tf.train.Checkpoint(model=model, optimizer=model.optimizer, epoch=self._epoch)

    def restore(self, title: str) -> int:
        """Load the last checkpoint, if any, and return its number of finished epochs."""
        if self._folder is None:
            return 0
        latest = tensorflow().train.latest_checkpoint(str(self._folder))
        if latest is None:
            return 0
        try:
            self._state.restore(latest).expect_partial()
        except Exception as error:  # cut off by a full disk or a power cut, or removed by another run
            self._say(f"{title}: starting anew, the checkpoint {self._folder} cannot be read: {error}")
            shutil.rmtree(self._folder, ignore_errors=True)
            return 0
        done = int(self._epoch.numpy())
        self._say(f"{title}: continuing after epoch {done} of an interrupted run")
        return done

    def save(self, epoch: int) -> None:
        """Write a checkpoint. If the disk is full, training continues without it."""
        if self._folder is None:
            return
        self._epoch.assign(epoch)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            manager = tensorflow().train.CheckpointManager(self._state, str(self._folder), max_to_keep=1)
            manager.save(checkpoint_number=epoch)
        except Exception as error:
            self._say(f"no checkpoint written to {self._folder}: {error}")
            self._folder = None

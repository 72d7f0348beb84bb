"""The training loop of all passes that train a network; see ``distillation`` for what it learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsFloat

import msgspec
import numpy as np

from tflite_compress.passes.algorithms.augmentation import Augmentation, augmentation_for
from tflite_compress.passes.algorithms.batch_order import BatchOrder
from tflite_compress.passes.algorithms.best_weights import BestWeights, Judge
from tflite_compress.passes.algorithms.distillation import training_losses, training_targets
from tflite_compress.passes.algorithms.training_checkpoint import TrainingCheckpoint, discard_checkpoint
from tflite_compress.passes.algorithms.weight_update import update_weights
from tflite_compress.passes.base import Context
from tflite_compress.support.backend import tensorflow, tf_keras
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note
from tflite_compress.support.time_budget import TimeBudget

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import Tensor
    from tflite_compress.passes.training import Augment, Training

CALL_SECONDS = 0.2  # of training between two looks at the time, the progress and a cancellation
CALL_BYTES = 64 << 20  # of samples in one call of the training function
AUGMENTS_FROM = 50  # epochs: a training on changed samples learns more slowly
GROWTH = 4  # the calls grow to their length by this factor at most

# (samples of some batches, their targets, steps) -> sum of their losses
Steps = Callable[[list["Tensor"], list["Tensor"]], SupportsFloat]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs, min_steps, batch_size, learning_rate, distill, augment: See ``passes.training.Training``.
        augments_from: How many times a training must see each sample for ``augment="auto"`` to change them.
    """

    epochs: int
    min_steps: int
    batch_size: int
    learning_rate: float
    distill: float
    augment: Augment = "none"
    augments_from: int = AUGMENTS_FROM

    @classmethod
    def of(cls, training: Training) -> Schedule:
        """Return the schedule of a pass's settings, in which everything is given."""
        return cls(**msgspec.structs.asdict(training))

    def batch_of(self, samples: int) -> int:
        """Return the samples per batch: all of them where there are fewer than a batch has."""
        return min(self.batch_size, samples)

    def steps_for(self, epochs: int, samples: int) -> int:
        """Return the number of batches in so many epochs. Only the last batch reaches beyond them."""
        return math.ceil(epochs * samples / self.batch_of(samples))

    def total_steps(self, samples: int) -> int:
        """Return the number of batches in the whole training."""
        return max(self.steps_for(self.epochs, samples), self.min_steps)

    def is_long(self, samples: int) -> bool:
        """Return True if each sample is seen often enough for ``augment="auto"``."""
        return self.total_steps(samples) * self.batch_of(samples) >= self.augments_from * samples


def finetune(
    model: Any,
    context: Context,
    schedule: Schedule,
    title: str,
    key: str,
    keep_checkpoint: bool = False,
    judge: Judge | None = None,
) -> tuple[Note, ...]:
    """Train ``model`` in place to the outputs of the original model.

    With a judge, the network gets the weights of the step that came closest to the original on held-out
    samples. The training ends early if it came closer than its start, but not for half of its length.

    A checkpoint is written from time to time and on interruption. An interrupted training with the same key
    continues from it.

    Args:
        model: A tf_keras model with the original's inputs and outputs.
        context: Data, teacher, seed and progress.
        schedule: How long and how fast.
        title: What the progress bar says.
        key: Names this training among all passes of the run.
        keep_checkpoint: Leave the last checkpoint for a run interrupted later on, which then skips this
            training; :func:`discard_checkpoint` removes it.
        judge: Held-out samples that judge the training; None to keep the last weights.

    Returns:
        How samples were augmented, how many were unlabelled, and which weights were kept.

    Raises:
        DataError: The loss became NaN, or the data cannot be augmented as asked.
    """
    keras2 = tf_keras()
    inputs = context.reference.splits.learned_inputs
    samples = len(inputs[0])
    steps = schedule.total_steps(samples)
    rate = keras2.optimizers.schedules.CosineDecay(schedule.learning_rate, max(1, steps), alpha=0.02)
    with context.progress.step("running the original model on the training data"):
        losses = training_losses(context)
        targets = training_targets(context, schedule.distill)
        augmentation = augmentation_for(context, schedule.augment, schedule.is_long(samples))
    model.compile(optimizer=keras2.optimizers.Adam(rate), loss=losses if len(losses) > 1 else losses[0])
    model.optimizer.build(model.trainable_variables)
    best = BestWeights(model, judge, steps) if judge else None
    checkpoint = TrainingCheckpoint(model, context, key, best.state if best else None)
    order = BatchOrder(samples, schedule.batch_of(samples), context.seed)
    loop = _Loop(model, inputs, targets, order, context.budget, augmentation)
    done = _run(loop, checkpoint, best, context, title, steps)
    if keep_checkpoint:
        checkpoint.save()
    else:
        discard_checkpoint(context, key)
    notes = _notes(context, augmentation)
    if best:
        best.restore(done)
        kept = best.note(done, schedule.batch_of(samples) / samples)
        notes += (kept,) if kept else ()
    return notes


def _run(
    loop: _Loop,
    checkpoint: TrainingCheckpoint,
    best: BestWeights | None,
    context: Context,
    title: str,
    steps: int,
) -> int:
    """Train from the last checkpoint on to the end, and return the number of finished steps."""
    done = checkpoint.restore(title)
    with context.progress.step(title, steps) as advance:
        advance(done)
        try:
            if best:
                best.look(done)
            while done < steps and not context.budget.is_used and not (best and best.is_over):
                count = loop.run(done, best.next_look(done) if best else steps)
                done += count
                advance(count)
                if best:
                    best.look(done)
                checkpoint.save_from_time_to_time()
        except DataError:
            raise
        except BaseException:  # Ctrl-C, or cancelled by the caller: the next run continues here
            checkpoint.save()
            raise
    if done < steps and not (best and best.is_over):
        context.budget.cut(f"{title} stopped after {done:,} of {steps:,} steps")
    return done


def _notes(context: Context, augmentation: Augmentation | None) -> tuple[Note, ...]:
    splits = context.reference.splits
    notes = (augmentation.note,) if augmentation else ()
    if splits.unlabelled is None:
        return notes
    text = f"trained on {len(splits.unlabelled):,} unlabelled samples beside {len(splits.train):,} others"
    return (*notes, Note("unlabelled-trained", text))


class _Loop:
    """Runs a training some batches at a time: as many as take ``CALL_SECONDS``.

    Args:
        model: A compiled tf_keras model.
        inputs, targets: Those of all samples.
        order: The samples of each batch.
        budget: Time that is left.
        augmentation: Changes each batch; None for none.
    """

    def __init__(
        self,
        model: Any,
        inputs: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        order: BatchOrder,
        budget: TimeBudget,
        augmentation: Augmentation | None,
    ) -> None:
        self._inputs, self._targets, self._order, self._budget = inputs, targets, order, budget
        self._train = _training_steps(model, inputs, targets, order.batch_size, augmentation)
        sample = sum(x.nbytes / max(1, len(x)) for x in (*inputs, *targets))
        self._max_count = max(1, int(CALL_BYTES / (sample * order.batch_size)))
        self._count = 1

    def run(self, first: int, end: int) -> int:
        """Train on the batches from ``first`` on, at most up to ``end``, and return their number.

        Raises:
            DataError: The loss became NaN.
        """
        start = self._budget.now
        count = min(self._count, end - first)
        rows = self._order.rows(first, count)
        inputs, targets = (
            [_as_tensor(x[rows.reshape(-1)], rows.shape) for x in side]
            for side in (self._inputs, self._targets)
        )
        loss = float(self._train(inputs, targets))
        if not math.isfinite(loss):
            raise DataError(
                "training diverged: the loss is no longer a number",
                "Lower the learning rate, for example --learning-rate=0.0003.",
            )
        seconds = max(self._budget.now - start, 1e-6) / count
        wanted = min(CALL_SECONDS, self._budget.left) / seconds
        self._count = max(1, int(min(wanted, GROWTH * self._count, self._max_count)))
        return count


def _as_tensor(samples: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    """Return samples as a tensor of batches."""
    batches = samples.reshape(*shape, *samples.shape[1:])
    tensor: Tensor = tensorflow().constant(batches, _dtype(samples))
    return tensor


def _dtype(samples: np.ndarray) -> np.dtype:
    """Return the type to train on: Keras computes in float32, whatever floats the data have."""
    return np.dtype(np.float32) if np.issubdtype(samples.dtype, np.floating) else samples.dtype


def _training_steps(
    model: Any,
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    batch_size: int,
    augmentation: Augmentation | None,
) -> Steps:
    """Return a function that trains a compiled model on some batches, all in one graph, traced once."""
    tf = tensorflow()
    signature = [
        [tf.TensorSpec((None, batch_size, *x.shape[1:]), _dtype(x)) for x in side]
        for side in (inputs, targets)
    ]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def train(inputs: list[Tensor], targets: list[Tensor]) -> object:
        total = tf.constant(0.0)
        for index in tf.range(tf.shape(inputs[0])[0]):
            x, y = [t[index] for t in inputs], [t[index] for t in targets]
            if augmentation is not None:
                x, y = augmentation.prepared(model.optimizer.iterations, x, y)
            with tf.GradientTape() as tape:
                outputs = model(x if len(x) > 1 else x[0], training=True)
                loss = model.compute_loss(None, y if len(y) > 1 else y[0], outputs)
            gradients = tape.gradient(loss, model.trainable_variables)
            update_weights(model.optimizer, gradients, model.trainable_variables)
            total += tf.cast(loss, tf.float32)
        return total

    trained: Steps = train
    return trained

"""Augmentation for distillation: the original model answers on changed inputs, so no label is needed.

Beyer et al., "Knowledge distillation: A good teacher is patient and consistent" (arXiv:2106.05237); Zhang et
al., "mixup" (arXiv:1710.09412); Yun et al., "CutMix" (arXiv:1905.04899); Park et al., "SpecAugment"
(arXiv:1904.08779).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tflite_compress.passes.algorithms.random_changes import Changes, Draw, changed_images, changed_series
from tflite_compress.passes.base import Context
from tflite_compress.scoring.metrics import Head, decide
from tflite_compress.support.backend import tensorflow
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.models.keras_types import Tensor
    from tflite_compress.passes.training import Augment

MIN_PIXELS = 16  # in height and width: a shift by one pixel changes smaller images too much
MIN_STEPS_OF_SERIES = 16
MAX_CHANNELS = 4
PLAIN = 0.25  # of the samples keep their input, and with it the label's part of the target
JUDGED = 256  # samples for whether a flip keeps what the model says
SAME = 0.9  # agreement of the original model with itself on flipped inputs, above which flips are used

Kind = Literal["images", "series"]


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training samples, and the original model's answers on them.

    Attributes:
        kind: What the samples are.
        changes: Which changes, and how large.
        context: The original model, and the seed.
    """

    kind: Kind
    changes: Changes
    context: Context

    def prepared(
        self, step: Tensor, inputs: list[Tensor], targets: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return a batch with most of its samples changed, and the targets for it.

        Args:
            step: Number of the step; all random numbers follow from it and the seed.
            inputs: The batch, one tensor.
            targets: Targets of the batch, one tensor for each output.
        """
        tf: Any = tensorflow()
        count = int(inputs[0].shape[0] or 0)
        plain = int(PLAIN * count)  # the first ones: batches are in random order
        change = changed_images if self.kind == "images" else changed_series
        changed = change(inputs[0][plain:], self.changes, Draw(self.context.seed, step, count - plain))
        answers = self.context.reference.network.call((changed,))
        heads = self.context.reference.heads
        soft = [_probabilities(h, tf.cast(a, tf.float32)) for h, a in zip(heads, answers, strict=True)]
        mixed = tf.concat([inputs[0][:plain], changed], 0)
        return [mixed], [tf.concat([y[:plain], answer], 0) for y, answer in zip(targets, soft, strict=True)]

    @property
    def note(self) -> Note:
        """What is changed, for the report."""
        flips = [w for w, on in (("left-right", self.changes.mirror), ("up-down", self.changes.flip)) if on]
        if self.kind == "images":
            what = "shifts, brightness, contrast, mixup and cutmix"
        else:
            what = "time shifts, noise, masks and mixup"
        also = (
            f", and flips ({' and '.join(flips)}), on which the original model keeps its answers"
            if flips
            else ""
        )
        return Note("augmented", f"training samples were augmented by {what}{also}")


def augmentation_for(context: Context, setting: Augment, is_long: bool) -> Augmentation | None:
    """Return how to augment the training samples; None for not at all.

    Args:
        context: Data and teacher.
        setting: The pass's setting.
        is_long: Whether the training sees each sample often enough for ``auto`` to change them.

    Raises:
        DataError: The setting asks for augmentation that these data cannot have.
    """
    if setting == "none":
        return None
    train, reference = context.reference.splits.train, context.reference
    kind = _kind(train.inputs)
    if setting == "auto":
        if kind is None or not is_long or reference.loss is not None or len(train) < 2:
            return None
    elif reference.loss is not None:
        raise DataError(
            f"--augment={setting} needs the original model's answers as targets, which --loss may not accept",
            "Leave out --loss, or use --augment=none.",
        )
    elif len(train.inputs) != 1 or train.inputs[0].ndim != {"images": 4, "series": 3}[setting]:
        shapes = ", ".join(str(x.shape[1:]) for x in train.inputs)
        expected = "(height, width, channels)" if setting == "images" else "(steps, features)"
        raise DataError(
            f"--augment={setting} needs one input of shape {expected}; the model has {shapes}",
            "Use --augment=none.",
        )
    else:
        kind = setting
    assert kind is not None
    return Augmentation(kind, _changes(kind, context), context)


def _kind(inputs: tuple[np.ndarray, ...]) -> Kind | None:
    """Return what samples are by their shape; None if it is not certain enough to augment them unasked."""
    x = inputs[0]
    if len(inputs) != 1 or not (np.issubdtype(x.dtype, np.floating) or x.dtype in (np.uint8, np.int8)):
        return None
    if x.ndim == 4 and x.shape[3] <= MAX_CHANNELS and min(x.shape[1:3]) >= MIN_PIXELS:
        return "images"
    return "series" if x.ndim == 3 and x.shape[1] >= MIN_STEPS_OF_SERIES else None


def _changes(kind: Kind, context: Context) -> Changes:
    train = context.reference.splits.train
    sample = np.asarray(train.inputs[0][:JUDGED], np.float32)
    return Changes(
        low=float(sample.min()),
        high=float(sample.max()),
        mean=float(sample.mean()),
        deviation=float(sample.std()),
        mirror=kind == "images" and _is_same_flipped(context, 2),
        flip=kind == "images" and _is_same_flipped(context, 1),
    )


def _is_same_flipped(context: Context, axis: int) -> bool:
    """Return True if the original model says nearly the same on inputs flipped along an axis."""
    reference = context.reference
    x = reference.splits.train.inputs[0][:JUDGED]
    flipped = reference.network.predict((np.ascontiguousarray(np.flip(x, axis)),))
    plain = tuple(y[: len(x)] for y in reference.training_outputs)
    rows = zip(reference.heads, plain, flipped, strict=True)
    return all(_agreement(head, a, b) >= SAME for head, a, b in rows)


def _agreement(head: Head, wanted: np.ndarray, found: np.ndarray) -> float:
    """Return the share of equal decisions; R2 where the outputs are values."""
    if head.task in ("classification", "binary"):
        return float(np.mean(decide(head, wanted) == decide(head, found)))
    return 1 - float(np.mean((wanted - found) ** 2) / max(float(np.var(wanted)), 1e-12))


def _probabilities(head: Head, outputs: Tensor) -> Tensor:
    """Return outputs as targets of the head's loss; as in ``distillation``, for tensors."""
    tf = tensorflow()
    if not head.from_logits or head.task not in ("classification", "binary"):
        return outputs
    found: Tensor = tf.nn.softmax(outputs) if head.task == "classification" else tf.sigmoid(outputs)
    return found

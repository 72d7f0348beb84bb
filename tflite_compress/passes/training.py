"""Settings of fine-tuning, shared by all passes that train a network."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tflite_compress.passes.base import Count, FloatPass, Rate, Share, Whole


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long and how fast a pass trains. What is None is taken from the pass's own defaults.

    Attributes:
        epochs: Passes over the training data; 0 leaves it to ``min_steps``, which may be part of one.
        min_steps: Train at least this many batches, so that small data sets get enough.
        batch_size: Samples in a batch.
        learning_rate: Adam's first learning rate. It falls to 2 % of that along a cosine.
        distill: Weight of the original model's output in the target, from 0 to 1. The label has the rest;
            1 where there are no labels.
    """

    epochs: Whole | None = None
    min_steps: Whole | None = None
    batch_size: Count | None = None
    learning_rate: Rate | None = None
    distill: Share | None = None

    def filled_from(self, usual: Training) -> Training:
        """Return these settings with what is None taken from ``usual``."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(usual, **given)


class TrainingPass(FloatPass, frozen=True, kw_only=True):
    """A pass that fine-tunes a network.

    Attributes:
        usual_training: The pass's defaults; all are given.
        may_skip_training: True for a pass that also works with no training at all.
        training: How long and how fast it trains.
    """

    usual_training: ClassVar[Training]
    may_skip_training: ClassVar[bool] = False

    training: Training = Training()

    def __post_init__(self) -> None:
        """Fill in the pass's defaults, so that equal trainings are equal values.

        Raises:
            ValueError: Nothing would be trained.
        """
        training = self.training.filled_from(self.usual_training)
        if not (training.epochs or training.min_steps or self.may_skip_training):
            raise ValueError("training: epochs and min_steps are both 0, expected one of them above 0")
        msgspec.structs.force_setattr(self, "training", training)

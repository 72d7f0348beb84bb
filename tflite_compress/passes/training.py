"""Settings of fine-tuning, shared by all passes that train a network."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from tflite_compress.passes.base import FloatPass
from tflite_compress.passes.setting_bounds import Count, Rate, Share, Whole

# Settings that a given one leaves open, for `Training.filled_from`.
LEFT_OPEN_BY = {"epochs": "min_steps"}

Augment = Literal["auto", "none", "images", "series"]
BatchNormMode = Literal["trained", "frozen", "folded"]


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of fine-tuning. A setting that is None takes the default of the pass.

    Attributes:
        epochs: Number of passes over the training data. With 0, only ``min_steps`` counts. Trainings
            that held-out samples judge may end early.
        min_steps: Minimum number of batches, for small data sets. If only ``epochs`` is given, there is no
            minimum.
        batch_size: Samples per batch.
        learning_rate: Initial learning rate of Adam. It decays to 2 % of this value along a cosine.
        distill: Weight of the original model's output in the training target, from 0 to 1. The label has the
            remaining weight. Without labels, the weight is 1.
        augment: Random changes of the training samples, on which the original model answers: those for
            ``images`` or ``series``, ``none``, or ``auto``: by the shape of the data, if the training sees
            each sample at least 50 times, or 15 times after channels were removed.
    """

    epochs: Whole | None = None
    min_steps: Whole | None = None
    batch_size: Count | None = None
    learning_rate: Rate | None = None
    distill: Share | None = None
    augment: Augment | None = None

    def filled_from(self, usual: Training) -> Training:
        """Return these settings with the values of ``usual`` for those that are None."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        if self.epochs:
            given.setdefault("min_steps", 0)
        given.setdefault("augment", usual.augment or "auto")
        return msgspec.structs.replace(usual, **given)


class TrainingPass(FloatPass, frozen=True, kw_only=True):
    """A pass that fine-tunes a network.

    Attributes:
        usual_training: Defaults of the pass. None of them is None.
        may_skip_training: True if the pass also works without training.
        training: Settings of fine-tuning.
    """

    usual_training: ClassVar[Training]
    may_skip_training: ClassVar[bool] = False

    training: Training = Training()

    def __post_init__(self) -> None:
        """Fill in the defaults of the pass, so that equal trainings compare as equal.

        Raises:
            ValueError: Nothing would be trained.
        """
        training = self.training.filled_from(self.usual_training)
        if not (training.epochs or training.min_steps or self.may_skip_training):
            raise ValueError("training: epochs and min_steps are both 0, expected one of them above 0")
        msgspec.structs.force_setattr(self, "training", training)

    def count_trained(self, samples: int) -> int:
        """Return how many samples a training sees, each as often as it is seen.

        Args:
            samples: Number of training samples.
        """
        training = self.training
        return max((training.epochs or 0) * samples, (training.min_steps or 0) * (training.batch_size or 1))

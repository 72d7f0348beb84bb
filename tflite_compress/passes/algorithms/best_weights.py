"""The weights of a training that come closest to the original's outputs on held-out samples.

Prechelt, "Early Stopping - But When?" (Neural Networks: Tricks of the Trade, 1998).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tflite_compress.models.keras_types import KerasModel
from tflite_compress.passes.algorithms.harm import HeldOut, r2_text
from tflite_compress.support.backend import tensorflow
from tflite_compress.support.notes import Note

LOOKS = 20  # evenly spread over the training
MIN_STEPS = 10  # between two looks
PATIENCE = 10  # looks without a better one, after which a training stops


@dataclass(frozen=True)
class Judge:
    """How a training is judged while it goes on.

    Attributes:
        held_out: Samples that judge it.
        first: The step before which weights are not kept, such as those with too few zeros.
    """

    held_out: HeldOut
    first: int = 0


class BestWeights:
    """The best weights so far. Looks are at fixed steps, so that an interrupted training has the same ones.

    Args:
        model: A tf_keras model that is trained.
        judge: Samples, and from when on weights are kept.
        steps: Length of the training.

    Attributes:
        state: What a checkpoint must contain to continue.
    """

    def __init__(self, model: KerasModel, judge: Judge, steps: int) -> None:
        tf = tensorflow()
        self._model, self._steps, self._first = model, steps, judge.first
        self._every = max(MIN_STEPS, math.ceil((steps - judge.first) / LOOKS))
        self._change = judge.held_out.watch(model)
        self._count = judge.held_out.count
        self._weights = [tf.Variable(w, trainable=False) for w in model.weights]
        self._best = tf.Variable(math.inf, dtype=tf.float64, trainable=False)
        self._kept, self._looked = (tf.Variable(-1, dtype=tf.int64, trainable=False) for _ in range(2))
        values = {"best": self._best, "kept": self._kept, "looked": self._looked}
        self.state: object = tf.train.Checkpoint(weights=self._weights, **values)

    @property
    def is_over(self) -> bool:
        """True if the weights became better than those before the training, but not for a long time now.

        A training that starts near the original moves away from it at first. It comes closer than it was
        only after its learning rate has decayed.
        """
        kept, looked = int(self._kept.numpy()), int(self._looked.numpy())
        return kept > 0 and looked - kept >= PATIENCE * self._every

    def next_look(self, done: int) -> int:
        """Return the number of the step after which to look next, at most the last one.

        Args:
            done: Number of finished steps.
        """
        if done < self._first:
            return min(self._first, self._steps)
        return min(self._first + ((done - self._first) // self._every + 1) * self._every, self._steps)

    def look(self, done: int) -> None:
        """Keep the weights if they are better than those before.

        Args:
            done: Number of finished steps. Only steps of :meth:`next_look` and the last one are looked at.
        """
        if done < self._first or done <= int(self._looked.numpy()):
            return
        if done < self._steps and (done - self._first) % self._every:
            return
        self._judge(done)

    def restore(self, done: int) -> None:
        """Give the best weights back to the network, if any were kept.

        Args:
            done: Number of finished steps, which may be fewer than planned.
        """
        if done >= self._first and done > int(self._looked.numpy()):
            self._judge(done)
        if int(self._kept.numpy()) >= 0:
            for weight, best in zip(self._model.weights, self._weights, strict=True):
                weight.assign(best)

    def note(self, done: int, epochs_per_step: float) -> Note | None:
        """Return which weights were kept; None if the training ended before any could be.

        Args:
            done: Number of finished steps, which may be fewer than planned.
            epochs_per_step: Batch size as a share of the samples.
        """
        kept = int(self._kept.numpy())
        if kept < 0:
            return None
        planned = f"{self._steps * epochs_per_step:.1f}"
        is_early = self.is_over and done < self._steps
        if kept == 0:
            text = "no weights came closer to the original's outputs than those before the training"
        else:
            text = (
                f"kept the weights of epoch {kept * epochs_per_step:.1f} of {planned}, the best on "
                f"{self._count:,} training samples: R2 with the original's outputs "
                f"{r2_text(float(self._best.numpy()))}"
            )
            if is_early:
                text += f"; stopped after epoch {done * epochs_per_step:.1f}, as they no longer came closer"
        return Note("weights-kept", text)

    def _judge(self, done: int) -> None:
        change = self._change()
        self._looked.assign(done)
        if change < float(self._best.numpy()):
            self._best.assign(change)
            self._kept.assign(done)
            for best, weight in zip(self._weights, self._model.weights, strict=True):
                best.assign(weight)

"""Whether BatchNorm learns while a network is trained: chosen by short trials on held-out samples.

Learning statistics suit networks whose activations change much, such as heavily pruned classifiers with few
training images. Frozen statistics suit networks that shall compute what they did, such as autoencoders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tflite_compress.models.keras_types import KerasModel
from tflite_compress.passes.algorithms.batchnorm import reestimate_batchnorm
from tflite_compress.passes.algorithms.fold import foldable, without_batchnorm
from tflite_compress.passes.algorithms.harm import MAX_TRIED, HeldOut
from tflite_compress.passes.training import BatchNormMode
from tflite_compress.support.backend import tf_keras
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.passes.algorithms.finetune import Schedule

TRIAL_SHARE = 0.1  # of the steps, for each of the trials
MIN_STEPS = 40  # of a trial; a shorter one says nothing

# (how BatchNorm is treated, how long to train) -> plain network
Train = Callable[[BatchNormMode, "Schedule"], KerasModel]


def has_batchnorm(model: KerasModel) -> bool:
    """Return True if a tf_keras model has BatchNorm layers."""
    return any(_is_batchnorm(layer) for layer in model.layers)


def prepared(model: KerasModel, mode: BatchNormMode) -> KerasModel:
    """Return the network that a training begins with: without BatchNorm layers where they are folded."""
    return without_batchnorm(model) if mode == "folded" else model


def freeze_batchnorm(model: KerasModel, mode: BatchNormMode) -> None:
    """Let the BatchNorm layers of a network compute with their statistics while it is trained, if frozen.

    Args:
        model: A tf_keras model before it is compiled; changed in place.
        mode: How BatchNorm is treated.
    """
    if mode == "frozen":
        for layer in filter(_is_batchnorm, model.layers):
            layer.trainable = False


def choose_batchnorm(
    wanted: BatchNormMode | Literal["auto"],
    model: KerasModel,
    schedule: Schedule,
    held_out: HeldOut,
    train: Train,
) -> tuple[BatchNormMode, tuple[Note, ...]]:
    """Return how BatchNorm is treated best, and a note on the trials.

    Args:
        wanted: The pass's setting.
        model: The network to be trained.
        schedule: How long and how fast.
        held_out: Samples that judge the trials.
        train: Trains for a trial.
    """
    if wanted != "auto":
        return wanted, ()
    samples = held_out.context.reference.splits.learned_samples
    steps = int(TRIAL_SHARE * schedule.total_steps(samples))
    if steps < MIN_STEPS or not has_batchnorm(model):
        return "trained", ()
    modes: list[BatchNormMode] = ["trained", "frozen"]
    if foldable(model):
        modes.append("folded")
    trial = replace(schedule, epochs=0, min_steps=steps)
    changes = {mode: _change(train(mode, trial), held_out) for mode in modes}
    best = min(modes, key=lambda mode: changes[mode])
    figures = ", ".join(f"{1 - change:.4f} {mode}" for mode, change in changes.items())
    text = (
        f"BatchNorm is {best} in the training: after {steps:,} steps, R2 with the original's outputs on "
        f"{held_out.count:,} training samples was {figures}"
    )
    return best, (Note("batchnorm-chosen", text),)


def _change(model: KerasModel, held_out: HeldOut) -> float:
    """Return the change of outputs, with the statistics that fit best: passes re-estimate them in the end."""
    kept = held_out.change(model)
    context = held_out.context
    inputs = tuple(x[:MAX_TRIED] for x in context.reference.splits.train.inputs)
    if not reestimate_batchnorm(model, inputs, context.seed):
        return kept
    return min(kept, held_out.change(model))


def _is_batchnorm(layer: object) -> bool:
    return isinstance(layer, tf_keras().layers.BatchNormalization)

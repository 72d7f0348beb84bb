"""Keep a change of a network only if its outputs come closer to the original's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.models.copying import copied
from tflite_compress.models.keras_types import KerasModel
from tflite_compress.models.network import network_runner
from tflite_compress.passes.algorithms.batchnorm import reestimate_batchnorm
from tflite_compress.passes.base import Context
from tflite_compress.scoring.score_functions import int8_step
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.passes.algorithms.finetune import Schedule
    from tflite_compress.scoring.reference import Reference

MAX_JUDGED = 512  # samples
JUDGED_SHARE = 0.2  # of the training samples
MAX_TRIED = 2048  # samples to average over
HELD_OUT_SHARE = 0.1  # of the training samples
MAX_HELD_OUT = 256  # samples that are not trained on
JUDGED_STEPS = 400  # a training of as many steps is judged by samples that are left out of it
MAX_COPIED = 256 << 20  # bytes of samples that are copied to hold out some of them

Arrays = tuple[np.ndarray, ...]
Notes = tuple[Note, ...]
Watch = Callable[[KerasModel], Callable[[], float]]


def watch_outputs(wanted: Arrays, inputs: Arrays) -> Watch:
    """Return a function that watches a network.

    What it returns computes the squared change of the outputs with the weights of that moment, as a share of
    the variance of the original's outputs. Outputs that vary by less than a step of an int8 output count as
    varying by a step.

    Args:
        wanted: Outputs of the original model, one array for each output.
        inputs: The samples, one array for each input.
    """
    run = network_runner()

    def watched(model: KerasModel) -> Callable[[], float]:
        def change() -> float:
            parts = [
                float(np.mean((a - b) ** 2) / max(float(np.var(a)), int8_step(a) ** 2, 1e-12))
                for a, b in zip(wanted, run(model, inputs), strict=True)
            ]
            return max(parts)

        return change

    return watched


def change_of_outputs(wanted: Arrays, inputs: Arrays) -> Callable[[KerasModel], float]:
    """Return a function for the squared change of a network's outputs; see :func:`watch_outputs`."""
    watched = watch_outputs(wanted, inputs)
    return lambda model: watched(model)()


def reestimate_if_better(model: KerasModel, context: Context, held_out: HeldOut | None = None) -> Note | None:
    """Re-estimate BatchNorm on the training samples if that brings the outputs closer to the original's.

    What was tried on ``MAX_TRIED`` samples is kept; of fewer samples, all are averaged over in the end.

    Args:
        model: A tf_keras model with the original's inputs and outputs; changed in place.
        context: Data, teacher, seed and progress.
        held_out: Samples that judge it, if the model was trained without them. None for some of the training
            samples, without which it is tried.

    Returns:
        What was measured, or None if the model has no BatchNorm or there is one sample only.
    """
    reference = held_out.context.reference if held_out else context.reference
    train, seed = reference.splits.train, context.seed
    count = 0 if held_out else min(MAX_JUDGED, int(np.ceil(JUDGED_SHARE * len(train))))
    order = np.random.default_rng((seed, 1)).permutation(len(train))
    judging, others = order[:count], order[count : count + MAX_TRIED]
    if not len(others):
        return None
    with context.progress.step("re-estimating BatchNorm"):
        weights = model.get_weights()
        if not reestimate_batchnorm(model, train.inputs, seed, others):
            return None
        tried = model.get_weights()
        if held_out:
            change, samples = held_out.watch(model), f"{held_out.count:,} training samples"
        else:
            change = _watch_rows(reference, judging)(model)
            samples = f"{count:,} samples left out of the averages"
        after = change()
        model.set_weights(weights)
        before = change()
        helps = after < before
        if helps and len(others) == MAX_TRIED:  # more samples change these averages little
            model.set_weights(tried)
        elif helps:
            reestimate_batchnorm(model, train.inputs, seed)
    text = _judged("re-estimating BatchNorm", before, after, samples)
    return Note("batchnorm-reestimated" if helps else "batchnorm-kept", text)


def _watch_rows(reference: Reference, rows: np.ndarray) -> Watch:
    """Return a function that watches a network on some of the training samples."""
    wanted = tuple(y[rows] for y in reference.training_outputs)
    return watch_outputs(wanted, tuple(x[rows] for x in reference.splits.train.inputs))


def r2_text(change: float) -> str:
    """Return R2 with as many digits as its difference from 1 needs.

    Args:
        change: 1 minus R2.
    """
    digits = 1 - int(np.floor(np.log10(change))) if 1e-8 < change < 1e-4 else 4
    return f"{1 - change:.{digits}f}"


def _judged(what: str, before: float, after: float, samples: str) -> str:
    """Return in words whether the outputs came closer to the original's."""
    verdict = "helped" if after < before else "was undone, it did not help"
    figures = f"R2 with the original's outputs {r2_text(before)} before, {r2_text(after)} after"
    return f"{what} {verdict} on {samples}: {figures}"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Training samples that judge a training.

    Attributes:
        context: The context of the training: without these samples, or with them where their number is too
            small or the samples too large to be copied.
        watch: Watches the outputs of a network on these samples, see :func:`watch_outputs`.
        count: Number of samples.
    """

    context: Context
    watch: Watch
    count: int

    def change(self, model: KerasModel) -> float:
        """Return the squared change of a network's outputs, as a share of their variance."""
        return self.watch(model)()

    def better(self, what: str, start: KerasModel, changed: KerasModel) -> tuple[bool, Note]:
        """Return whether a network is closer to the original than what it was made from, and a note.

        Args:
            what: What changed the network, to begin a sentence with.
            start: The network before.
            changed: The network after.
        """
        return self._verdict(what, self.change(start), self.change(changed))

    def keep_better(self, what: str, model: KerasModel, train: Callable[[], Notes]) -> Notes:
        """Train a network in place, and undo that if it does not help.

        Args:
            what: What changes the network, to begin a sentence with.
            model: The network.
            train: Trains it and returns notes.

        Returns:
            The notes of the training and of the comparison.
        """
        change, start = self.watch(model), model.get_weights()
        before = change()
        notes = train()
        helps, judged = self._verdict(what, before, change())
        if not helps:
            model.set_weights(start)
        return (*notes, judged)

    def _verdict(self, what: str, before: float, after: float) -> tuple[bool, Note]:
        helps = after < before
        text = _judged(what, before, after, f"{self.count:,} training samples")
        return helps, Note("training-helped" if helps else "training-undone", text)


def hold_out(context: Context) -> HeldOut:
    """Return some training samples to judge a training by, and the others to train on."""
    train, reference = context.reference.splits.train, context.reference
    count = min(MAX_HELD_OUT, int(HELD_OUT_SHARE * len(train)))
    is_large = sum(x.nbytes for x in train.inputs) > MAX_COPIED
    order = np.random.default_rng((context.seed, 2)).permutation(len(train))
    if not count or is_large:
        count = min(MAX_JUDGED, len(train))
    else:
        rest = np.sort(order[count:])
        context = replace(context, reference=reference.training_on(rest))
    judging = np.sort(order[:count])
    return HeldOut(context, _watch_rows(reference, judging), count)


def hold_out_if_long(context: Context, schedule: Schedule) -> HeldOut | None:
    """Return samples to judge a training by, and the others to train on; None for a short training."""
    steps = schedule.total_steps(context.reference.splits.learned_samples)
    return hold_out(context) if steps >= JUDGED_STEPS else None


def untrained_zeros(
    original: KerasModel, pruned: KerasModel, names: Iterable[str], smallest: bool
) -> KerasModel:
    """Return a copy of a network with as many zeros as a pruned one has, and its own weights elsewhere.

    Args:
        original: The network before pruning.
        pruned: The network after pruning, with layers of the same names.
        names: Pruned layers.
        smallest: The smallest weights of each layer are 0; otherwise those that are 0 in the pruned network.
    """

    def zeroed(weights: np.ndarray, other: np.ndarray) -> np.ndarray:
        if weights.ndim < 2 or not smallest:
            return weights if weights.ndim < 2 else np.where(other == 0, 0, weights)
        flat = weights.flatten()
        flat[np.argsort(np.abs(flat), kind="stable")[: int((other == 0).sum())]] = 0
        return flat.reshape(weights.shape)

    result = copied(original)
    for name in names:
        layer, source = result.get_layer(name), pruned.get_layer(name)
        pairs = zip(layer.get_weights(), source.get_weights(), strict=True)
        layer.set_weights([zeroed(a, b) for a, b in pairs])
    return result

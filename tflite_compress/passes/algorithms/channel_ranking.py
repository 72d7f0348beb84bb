"""Saliency of a network's groups of channels; see pass ``prune_channels``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from tflite_compress.passes.base import Context
from tflite_compress.scoring.reference import Reference

if TYPE_CHECKING:
    from tflite_compress.channels.dependencies import Dependencies
    from tflite_compress.models.keras_types import KerasModel
    from tflite_compress.passes.prune_channels import PruneChannels


class _Memo:
    """Arrays computed once for each reference and key, and dropped with the reference."""

    def __init__(self) -> None:
        self._found: WeakKeyDictionary[Reference, dict[str, np.ndarray]] = WeakKeyDictionary()

    def once(self, reference: Reference, key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what ``compute`` gives, computed the first time only. ``key`` names all it depends on."""
        known = self._found.setdefault(reference, {})
        if key not in known:
            known[key] = compute()
        return known[key]


_RANKED = _Memo()


def saliency_of(
    handle: KerasModel, dependencies: Dependencies, config: PruneChannels, context: Context
) -> np.ndarray:
    """Return the saliency of each group of channels. The original model is ranked once for all recipes.

    Args:
        handle: A tf_keras model.
        dependencies: Its channels.
        config: Criterion and samples.
        context: Data and teacher.

    Returns:
        float64, shape (groups,).
    """
    from tflite_compress.channels.saliency import from_weights

    if config.criterion != "taylor":
        return from_weights(dependencies, config.criterion)
    digest = hashlib.sha256()
    for weight in handle.get_weights():
        digest.update(weight.tobytes())
    key = f"{context.seed}:{digest.hexdigest()}:{config.samples}:{config.training.distill}:{config.exclude}"
    return _RANKED.once(context.reference, key, lambda: _ranked(handle, dependencies, config, context))


def _ranked(
    handle: KerasModel, dependencies: Dependencies, config: PruneChannels, context: Context
) -> np.ndarray:
    from tflite_compress.channels.saliency import taylor
    from tflite_compress.passes.algorithms.distillation import training_losses, training_targets
    from tflite_compress.passes.algorithms.finetune import Schedule

    train = context.reference.splits.train
    chosen = np.random.default_rng(context.seed).permutation(len(train))[: config.samples]
    targets = training_targets(context, Schedule.of(config.training).distill)
    losses = training_losses(context)
    with context.progress.step("ranking channels", len(chosen)) as advance:
        return taylor(handle, dependencies, train.inputs, targets, chosen, losses, advance)

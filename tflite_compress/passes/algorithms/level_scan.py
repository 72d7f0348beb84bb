"""Estimate what levels of pruning cost: a short reconstruction without training, judged on held-out samples.

All layers are solved for at once, with the inputs that the original gives them, so that one run over the
samples serves all levels. Drops come out larger than those of ``oneshot_prune`` and ``oneshot_channels``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.models.copying import copied
from tflite_compress.models.network import network_runner
from tflite_compress.passes.algorithms.channel_readers import readers_of
from tflite_compress.passes.algorithms.channel_reconstruction import channel_costs, solve_at_once
from tflite_compress.passes.algorithms.oneshot import solvable_layers, sparse_at_once
from tflite_compress.passes.algorithms.traced_channels import traced
from tflite_compress.passes.base import Context
from tflite_compress.passes.cost_curve import CostCurve
from tflite_compress.scoring.metrics import apply_metric

if TYPE_CHECKING:
    from tflite_compress.channels.cost import Quantity
    from tflite_compress.models.keras_types import KerasModel
    from tflite_compress.passes.prune_channels import PruneChannels

SAMPLES = 128  # to reconstruct on
JUDGED = 512  # other samples, to judge by
MIN_JUDGED = 64
REMOVED = (0.3, 0.5, 0.65, 0.8, 0.9)
CHANNELS_REMOVED = (0.1, 0.2, 0.35, 0.5, 0.65)  # of the MACs or bytes
# Rule of thumb for what training leaves of a large drop, and where it begins with zeros that were solved for;
# it grows with the parameters per sample.
LEFT, LEFT_OF_SOLVED, LEFT_PARAMETERS_PER_SAMPLE = 0.06, 0.02, 20.0

Inputs = tuple[np.ndarray, ...]
Drop = Callable[["KerasModel"], float]


def scan_sparsity(
    handle: KerasModel, names: Collection[str], is_solved: bool, context: Context
) -> CostCurve | None:
    """Return what sparsity costs; None if the agreement with the original says nothing about the metric.

    Args:
        handle: A tf_keras model; unchanged.
        names: The layers to prune. Those that cannot be solved for are left out.
        is_solved: True if training begins with zeros that were solved for.
        context: Data, seed and progress.
    """
    parts = _divided(context)
    solved = [name for name in solvable_layers(handle) if name in names]
    if parts is None or not solved:
        return None
    inputs, judging = parts
    original, changed = copied(handle), copied(handle)
    drop = _held_out_drop(original, judging, context)
    removed, drops = [], []
    with context.progress.step("estimating what pruning costs", len(REMOVED)) as advance:
        for reached in sparse_at_once(original, changed, tuple(solved), inputs, REMOVED, context.seed):
            removed.append(reached)
            drops.append(drop(changed))
            advance(1)
    left = _left_after_training(context, LEFT_OF_SOLVED if is_solved else LEFT)
    return CostCurve("sparsity", False, tuple(removed), tuple(drops), left)


def scan_channels(
    handle: KerasModel, config: PruneChannels, setting: str, stays: Callable[[str], bool], context: Context
) -> CostCurve | None:
    """Return what removing channels costs; None as for :func:`scan_sparsity`.

    Args:
        handle: A tf_keras model; unchanged.
        config: Multiple and precision.
        setting: ``target_macs`` or ``target_size``.
        stays: Returns True for the name of a layer that keeps all its channels.
        context: Data, seed and progress.
    """
    from tflite_compress.channels.select import choose

    parts = _divided(context)
    if parts is None:
        return None
    inputs, judging = parts
    original, changed = copied(handle), copied(handle)
    dependencies, costs = traced(changed, context, stays, config.precision)
    readers = readers_of(changed, dependencies)
    drop = _held_out_drop(original, judging, context)
    what: Quantity = "macs" if setting == "target_macs" else "bytes"
    full = costs.sizes.astype(float)
    removed: list[float] = []
    drops: list[float] = []
    with context.progress.step("estimating what removing channels costs") as advance:
        found = channel_costs(original, changed, readers, costs, inputs, context.seed, advance)
        solve = solve_at_once(original, changed, readers, inputs, context.seed)
        for share in CHANNELS_REMOVED:
            limit = (1 - share) * costs.total(what, full)
            keep = choose(costs, found, {what: limit}, max(1, config.multiple), dependencies.count)
            kept = np.array([float(keep[family].sum()) for family in costs.families])
            reached = 1 - costs.total(what, kept) / costs.total(what, full)
            if keep.all() or (removed and reached <= removed[-1]):
                continue
            solve(np.flatnonzero(~keep))
            removed.append(reached)
            drops.append(drop(changed))
    if not removed:
        return None
    return CostCurve(setting, True, tuple(removed), tuple(drops), _left_after_training(context))


def _divided(context: Context) -> tuple[Inputs, Inputs] | None:
    """Return samples to reconstruct on and others to judge by; None where these cannot judge."""
    reference, train = context.reference, context.reference.splits.train
    judges = all(m.has_points and not m.needs_labels and m.highest == 1 for m in reference.metrics)
    if reference.joint is not None or not judges:
        return None
    order = np.random.default_rng((context.seed, 2)).permutation(len(train))
    count = min(SAMPLES, len(order) // 3)
    judging = order[count : count + JUDGED]
    if len(judging) < MIN_JUDGED:
        return None
    return tuple(x[order[:count]] for x in train.inputs), tuple(x[judging] for x in train.inputs)


def _held_out_drop(original: KerasModel, judging: Inputs, context: Context) -> Drop:
    """Return a function for the estimated accuracy drop of a changed network.

    Decisions change first where the original is unsure and often wrong. So a share d of changed decisions
    costs d * d / (d + e), with e the share that the original gets wrong.
    """
    reference = context.reference
    outputs = network_runner()(original, judging)
    targets = reference.targets_from(outputs)
    is_known = reference.labelled and all(metric.is_share for metric in reference.metrics)
    wrong = max(0.0, 1 - reference.score.value) if is_known else 0.0
    run = network_runner()

    def drop(model: KerasModel) -> float:
        rows = zip(reference.metrics, targets, outputs, run(model, judging), strict=True)
        found = max(m.drop(apply_metric(m, t, a), apply_metric(m, t, b)) for m, t, a, b in rows)
        return max(0.0, found) ** 2 / (found + wrong) if found > 0 else 0.0

    return drop


def _left_after_training(context: Context, usual: float = LEFT) -> float:
    """Return what is estimated to stay of a large drop: more for many parameters and few samples."""
    reference = context.reference
    ratio = reference.network.parameter_count() / len(reference.splits.train) / LEFT_PARAMETERS_PER_SAMPLE
    return float(usual * np.sqrt(np.clip(ratio, 0.01, 4.0)))

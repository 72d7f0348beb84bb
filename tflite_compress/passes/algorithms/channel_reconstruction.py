"""Remove channels without training: later layers are solved for, layer by layer; see ``oneshot_channels``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.passes.algorithms.block_reconstruction import Samples, reconstruct_blocks
from tflite_compress.passes.algorithms.channel_readers import Readers, readers_of
from tflite_compress.passes.algorithms.channel_removal import Reader, Solution, removal_costs, solved_for
from tflite_compress.passes.algorithms.harm import change_of_outputs
from tflite_compress.passes.algorithms.layer_grams import Grams, as_kernel, as_matrices, gather_grams
from tflite_compress.passes.algorithms.oneshot import (
    JUDGED,
    MAX_ROWS,
    STAGES,
    keep_better_batchnorm,
    outputs_of,
    samples_for,
)
from tflite_compress.passes.algorithms.traced_channels import traced
from tflite_compress.passes.base import Context
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.channels.cost import Costs, Quantity
    from tflite_compress.models.keras_types import KerasModel, KernelLayer
    from tflite_compress.models.network import Network
    from tflite_compress.passes.algorithms.traced_channels import AnyPrecision
    from tflite_compress.passes.oneshot_channels import OneshotChannels

SAMPLES = 256  # to solve for the start of a training
TRIED = 0.25  # of a layer's input channels, removed to see how much the network's outputs react

Inputs = tuple[np.ndarray, ...]
Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Smaller:
    """A network with fewer channels.

    Attributes:
        model: A tf_keras model.
        kept_by: Layers that keep the channels they read, because they cannot be solved for.
        note: How near its outputs are to the original's on samples left out; None if nothing was removed.
    """

    model: KerasModel
    kept_by: tuple[str, ...]
    note: Note | None


def without_training(
    network: Network,
    targets: Mapping[Quantity, float],
    config: OneshotChannels,
    context: Context,
    stays: Callable[[str], bool],
) -> Smaller:
    """Return a network without the channels that its outputs need least; the others are solved for.

    Args:
        network: An editable network; unchanged.
        targets: Maximum cost by quantity, as a share of the network's.
        config: Samples, multiple and precision.
        context: Data, seed and progress.
        stays: Returns True for the name of a layer that keeps all its channels.

    Raises:
        ModelError: All channels must stay.
    """
    from tflite_compress.channels.exchange import improved
    from tflite_compress.channels.rebuild import without_channels
    from tflite_compress.channels.select import choose
    from tflite_compress.models.copying import copied

    original, changed = copied(network.handle), copied(network.handle)  # layers of a copy have one input each
    dependencies, costs = traced(changed, context, stays, config.precision)
    readers = readers_of(changed, dependencies)
    kept_by = tuple(dict.fromkeys(readers.fixed.values()))
    inputs, others = samples_for(config.samples, context)

    def ranked() -> np.ndarray:
        with context.progress.step("finding channels that matter least", len(readers.reading)) as advance:
            return channel_costs(original, changed, readers, costs, inputs, context.seed, advance)

    settings = (config.samples, config.exclude, context.seed)
    found = context.shared.once("channel costs", network, settings, ranked)
    full = costs.sizes.astype(float)
    limits = {what: share * costs.total(what, full) for what, share in targets.items()}
    multiple = max(1, config.multiple)
    keep = choose(costs, found, limits, multiple, dependencies.count)
    keep = improved(costs, found, limits, multiple, keep)
    if keep.all():
        return Smaller(changed, kept_by, None)
    with context.progress.step("removing channels without training", len(readers.groups)) as advance:
        reconstruct(original, changed, readers, np.flatnonzero(~keep), inputs, context.seed, advance)
    keep_better_batchnorm(original, changed, inputs, others, context)
    smaller = without_channels(changed, dependencies, keep)
    change = change_of_outputs(outputs_of(original, others), others)
    reached, solved = [change(smaller)], smaller.get_weights()
    if config.steps:
        samples = Samples(inputs, others)
        reconstruct_blocks(original, smaller, (dependencies, keep), samples, config.steps, context)
        reached.append(change(smaller))
    if reached[-1] > reached[0]:
        smaller.set_weights(solved)
    return Smaller(smaller, kept_by, _note(reached, len(others[0])))


def _note(reached: list[float], samples: int) -> Note:
    """Return how near the outputs are: after solving for layers, and after reconstructing blocks."""
    solved, best, last = reached[0], min(reached), reached[-1]
    text = f"channels were removed without training: R2 with the original's outputs {1 - best:.4f}"
    if len(reached) > 1:
        undone = f"; reconstructing blocks was undone, it gave {1 - last:.4f}"
        text += undone if last > solved else f", {1 - solved:.4f} before blocks were reconstructed"
    return Note("channels-reconstructed", f"{text} (on {samples:,} samples)")


def nearer_by_reconstruction(
    handle: KerasModel,
    cut: KerasModel,
    keep: np.ndarray,
    precision: AnyPrecision,
    context: Context,
    stays: Callable[[str], bool],
) -> KerasModel:
    """Return a network without some channels: solved for where that is nearer to what it was, else as cut.

    Args:
        handle: The tf_keras model with all channels; unchanged.
        cut: The model without the channels.
        keep: bool, shape (groups,): False for groups that were removed.
        precision: The precision for which costs are computed.
        context: Data, seed and progress.
        stays: Returns True for the name of a layer that keeps all its channels.
    """
    from tflite_compress.channels.rebuild import without_channels
    from tflite_compress.models.copying import copied

    original, changed = copied(handle), copied(handle)
    dependencies, _ = traced(changed, context, stays, precision)
    readers, removed = readers_of(changed, dependencies), np.flatnonzero(~keep)
    if not any(np.any(np.isin(own, removed)) for own in readers.groups.values()):
        return cut
    inputs, others = samples_for(SAMPLES, context)
    with context.progress.step("solving for the channels that stay", len(readers.groups)) as advance:
        reconstruct(original, changed, readers, removed, inputs, context.seed, advance)
    keep_better_batchnorm(original, changed, inputs, others, context)
    solved = without_channels(changed, dependencies, keep)
    change = change_of_outputs(outputs_of(original, others), others)
    return solved if change(solved) < change(cut) else cut


def channel_costs(
    original: KerasModel,
    changed: KerasModel,
    readers: Readers,
    costs: Costs,
    inputs: Inputs,
    seed: int,
    advance: Advance,
) -> np.ndarray:
    """Return what removing each group costs, in squared change of the outputs; infinite for those that stay.

    Args:
        original: A tf_keras model.
        changed: A copy. Its layers are changed one after another, and restored.
        readers: Layers that read channels.
        costs: Families of groups.
        inputs: Samples, one array per input.
        seed: Seed of the choice of output positions.
        advance: Called with 1 after each layer.

    Returns:
        float64, shape (groups,).
    """
    names = readers.reading
    rows = dict.fromkeys(names, MAX_ROWS)
    grams = gather_grams(original, original, names, inputs, rows, seed, readers.shifted)
    judged = tuple(x[:JUDGED] for x in inputs)
    change = change_of_outputs(outputs_of(original, judged), judged)
    made = {}
    for name in names:
        reader = _reader(original.get_layer(name), grams[name], readers.groups[name])
        made[name] = replace(reader, factor=_reaction(changed, readers, name, reader, change))
        advance(1)
    total = np.full(sum(len(family) for family in costs.families), np.inf)
    for family in costs.families:
        own = [reader for reader in made.values() if np.any(np.isin(reader.groups, family))]
        if own and not any(int(group) in readers.fixed for group in family):
            total[family] = removal_costs(own, family, len(family) - 1)
    return total


def reconstruct(
    original: KerasModel,
    changed: KerasModel,
    readers: Readers,
    removed: np.ndarray,
    inputs: Inputs,
    seed: int,
    advance: Advance,
) -> None:
    """Solve for the layers of a model without some groups. Weights that read them become zero.

    Args:
        original: A tf_keras model.
        changed: A copy; changed in place.
        readers: Layers that can be solved for.
        removed: Numbers of the groups, int64.
        inputs: Samples, one array per input.
        seed: Seed of the choice of output positions.
        advance: Called with 1 after each layer.
    """
    names = [*readers.groups]
    first = next(i for i, name in enumerate(names) if np.any(np.isin(readers.groups[name], removed)))
    names = names[first:]  # later layers make up for what earlier ones lost
    rows = dict.fromkeys(names, MAX_ROWS)
    for stage in np.array_split(np.array(names), min(STAGES, len(names))):
        found = gather_grams(original, changed, [*map(str, stage)], inputs, rows, seed, readers.shifted)
        for name, grams in found.items():
            reader = _reader(original.get_layer(name), grams, readers.groups[name])
            _set(changed, readers, name, solved_for(reader, removed))
            advance(1)


def solve_at_once(
    original: KerasModel, changed: KerasModel, readers: Readers, inputs: Inputs, seed: int
) -> Callable[[np.ndarray], None]:
    """Return a function that solves for a copy without some groups, for a rough estimate.

    Each layer is solved for with the inputs that it gets in the original.

    Args:
        original: A tf_keras model.
        changed: A copy; the function changes it in place and begins anew each time.
        readers: Layers that can be solved for.
        inputs: Samples, one array per input.
        seed: Seed of the choice of output positions.
    """
    names, start = readers.reading, changed.get_weights()
    rows = dict.fromkeys(names, MAX_ROWS)
    grams = gather_grams(original, original, names, inputs, rows, seed, readers.shifted)

    def solve(removed: np.ndarray) -> None:
        changed.set_weights(start)
        for name in names:
            reader = _reader(original.get_layer(name), grams[name], readers.groups[name])
            if np.any(np.isin(reader.groups, removed)):
                _set(changed, readers, name, solved_for(reader, removed))

    return solve


def _reader(layer: KernelLayer, grams: Grams, groups: np.ndarray) -> Reader:
    weights = as_matrices(layer, np.asarray(layer.kernel), len(grams.given))
    of_rows = np.resize(groups, weights.shape[0] * weights.shape[1])  # the channel varies fastest
    return Reader(grams, weights, of_rows.reshape(weights.shape[:2]))


def _reaction(
    changed: KerasModel,
    readers: Readers,
    name: str,
    reader: Reader,
    change: Callable[[KerasModel], float],
) -> float:
    """Return how much the network's outputs react to a layer's error, by removing some of its inputs."""
    own = np.unique(reader.groups[reader.groups >= 0])
    costs = removal_costs([reader], own, max(1, round(TRIED * len(own))))
    cheapest = own[np.argsort(costs, kind="stable")][: max(1, round(TRIED * len(own)))]
    solution = solved_for(reader, cheapest)
    before = changed.get_weights()
    _set(changed, readers, name, solution)
    reaction = change(changed) / max(solution.error, 1e-12)
    changed.set_weights(before)
    return reaction


def _set(model: KerasModel, readers: Readers, name: str, solution: Solution) -> None:
    layer = model.get_layer(name)
    weights = [as_kernel(layer, solution.weights), *layer.get_weights()[1:]]
    added = None if solution.constants is None else solution.constants.sum(axis=0)
    if added is not None and layer.use_bias:
        weights[1] = (weights[1] + added).astype(weights[1].dtype)
    layer.set_weights(weights)
    if added is not None and name in readers.shifted:
        norm = model.get_layer(readers.shifted[name])
        norm.moving_mean.assign(norm.moving_mean - added.astype(np.float32))

"""Prune a network layer by layer without training; see pass ``oneshot_prune``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import numpy as np

from tflite_compress.models.keras_types import KerasModel, KernelLayer
from tflite_compress.models.network import keras_network
from tflite_compress.models.wiring import wiring
from tflite_compress.passes.algorithms.batchnorm import reestimate_batchnorm
from tflite_compress.passes.algorithms.harm import change_of_outputs
from tflite_compress.passes.algorithms.layer_grams import (
    Grams,
    as_kernel,
    as_matrices,
    gather_grams,
    is_supported,
    split_rows,
)
from tflite_compress.passes.algorithms.reconstruction import Reconstruction, removed_step_by_step
from tflite_compress.passes.algorithms.sparsity_allocation import LayerCurve, allocate
from tflite_compress.passes.algorithms.zeros import share_of_zeros
from tflite_compress.passes.base import Context

if TYPE_CHECKING:
    from tflite_compress.passes.oneshot_prune import OneshotPrune

MAX_ROWS = 600  # solved for together
WORK = 3e11  # multiplications for a layer in one round, above which its rows are split further
MIN_ROWS = 64
CURVE_ROWS = 128
CURVE_LEVELS = (0.2, 0.35, 0.5, 0.65, 0.75, 0.85, 0.93)
ROUNDS = 5
STAGES = 8  # runs over the samples; the layers of a stage see the same earlier layers
JUDGED = 128  # samples for how much the outputs react

Inputs = tuple[np.ndarray, ...]


def pruned_network(
    handle: KerasModel, config: OneshotPrune, names: tuple[str, ...], context: Context
) -> KerasModel:
    """Return a pruned copy.

    Args:
        handle: A tf_keras model; unchanged.
        config: Settings.
        names: The layers to prune, in graph order.
        context: Data, seed and progress.
    """
    from tflite_compress.models.copying import copied

    original, changed = copied(handle), copied(handle)  # layers of a copy have one input each
    inputs, others = samples_for(config.samples, context)
    shares = _shares(original, changed, config, names, inputs, context)
    stages = np.array_split(np.array(names), min(STAGES, len(names)))
    rows = {name: _max_rows(changed.get_layer(name)) for name in names}
    with context.progress.step("pruning without training", len(names)) as advance:
        for stage in stages:
            found = gather_grams(original, changed, [*map(str, stage)], inputs, rows, context.seed)
            for name, grams in found.items():
                layer = changed.get_layer(name)
                _set(layer, _path(layer, grams, _rounds(config, shares[name]), config)[-1])
                advance(1)
    keep_better_batchnorm(original, changed, inputs, others, context)
    return changed


def sparse_at_once(
    original: KerasModel,
    changed: KerasModel,
    names: tuple[str, ...],
    inputs: Inputs,
    levels: tuple[float, ...],
    seed: int,
) -> Iterator[float]:
    """Prune a copy to several levels, with the original's inputs of each layer, for a rough estimate.

    Args:
        original: A tf_keras model.
        changed: A copy; it has the weights of a level after each step.
        names: The layers to prune, in graph order.
        inputs: Samples, one array per input.
        levels: Shares of zeros, rising.
        seed: Seed of the choice of output positions.

    Yields:
        The share of zeros that was reached.
    """
    grams = gather_grams(original, original, names, inputs, dict.fromkeys(names, CURVE_ROWS), seed)
    layers = {name: original.get_layer(name) for name in names}
    paths = {}
    for name, layer in layers.items():
        weights = as_matrices(layer, _kernel(layer), len(grams[name].given))
        paths[name] = removed_step_by_step(grams[name], weights, CURVE_LEVELS)
    judged = tuple(x[:JUDGED] for x in inputs)
    change = change_of_outputs(outputs_of(original, judged), judged)
    middle = len(CURVE_LEVELS) // 2
    curves = []
    for name, path in paths.items():
        before = changed.get_layer(name).get_weights()
        _set(changed.get_layer(name), path[middle])
        factor = change(changed) / max(path[middle].error, 1e-12)
        changed.get_layer(name).set_weights(before)
        reached = tuple(found.sparsity for found in path)
        curves.append(LayerCurve(before[0].size, reached, tuple(factor * found.error for found in path)))
    for level in levels:
        for (name, path), share in zip(paths.items(), allocate(curves, level), strict=True):
            layer = changed.get_layer(name)
            layer.set_weights(layers[name].get_weights())
            nearest = min(path, key=lambda found: abs(found.sparsity - share))
            if nearest.sparsity < 2 * share:
                _set(layer, nearest)
        yield share_of_zeros(_kernel(changed.get_layer(name)) for name in names)


def zeros_of(model: KerasModel, name: str) -> float:
    """Return the share of zeros of a layer's kernel."""
    return share_of_zeros([_kernel(model.get_layer(name))])


def _kernel(layer: KernelLayer) -> np.ndarray:
    return np.asarray(layer.kernel)


def samples_for(count: int, context: Context) -> tuple[Inputs, Inputs]:
    """Return the samples to reconstruct on, and others to judge by; the same ones if there are no others."""
    inputs = context.reference.splits.train.inputs
    order = np.random.default_rng(context.seed).permutation(len(inputs[0]))
    chosen, others = order[:count], order[count:][:count]
    if len(others) < min(len(chosen), JUDGED):
        others = chosen
    return tuple(x[chosen] for x in inputs), tuple(x[others] for x in inputs)


def _max_rows(layer: KernelLayer) -> int:
    """Return how many rows are solved for together: fewer in a layer with many outputs."""
    kernel = _kernel(layer)
    work = WORK / kernel.size
    return int(np.clip(np.sqrt(work), MIN_ROWS, MAX_ROWS))


def _rounds(config: OneshotPrune, share: float) -> tuple[float, ...]:
    if config.pattern == "2:4":
        return (0.25, 0.5)
    return tuple(share * done / ROUNDS for done in range(1, ROUNDS + 1))


def _path(
    layer: KernelLayer, grams: Grams, levels: tuple[float, ...], config: OneshotPrune
) -> list[Reconstruction]:
    weights = as_matrices(layer, _kernel(layer), len(grams.given))
    multiple = 4 if config.pattern == "2:4" else 1
    return removed_step_by_step(grams, weights, levels, multiple, block_of(config))


def block_of(config: OneshotPrune) -> tuple[int, int]:
    """Return rows and outputs of what becomes zero together."""
    return config.block_size if config.pattern == "block" else (1, 1)


def solvable_layers(model: KerasModel) -> dict[str, KernelLayer]:
    """Return the layers that can be pruned without training, by name: supported and used once."""
    shared = wiring(model).shared
    able = [layer for layer in model.layers if is_supported(layer) and layer.name not in shared]
    return {layer.name: cast("KernelLayer", layer) for layer in able}


def takes_pattern(layer: KernelLayer, config: OneshotPrune) -> bool:
    """Return True if zeros in the pattern asked for fit into a layer's kernel."""
    if config.pattern == "2:4":
        return layer.kernel.shape[-2] % 4 == 0
    return config.pattern != "block" or _takes_blocks(layer, config)


def _takes_blocks(layer: KernelLayer, config: OneshotPrune) -> bool:
    """Return True if a layer's matrices consist of whole blocks, also where their rows are split."""
    height, width = block_of(config)
    splits = (split_rows(layer, rows) for rows in (CURVE_ROWS, _max_rows(layer)))
    outputs = layer.kernel.shape[-1] // getattr(layer, "groups", 1)
    return outputs % width == 0 and all(rows % height == 0 for _, rows in splits)


def _set(layer: KernelLayer, solution: Reconstruction) -> None:
    weights = [as_kernel(layer, solution.weights), *layer.get_weights()[1:]]
    if solution.constants is not None:
        groups, outputs = getattr(layer, "groups", 1), solution.constants.shape[1]
        added = solution.constants.reshape(groups, -1, outputs).sum(axis=1).reshape(-1)
        weights[1] = (weights[1] + added).astype(weights[1].dtype)
    layer.set_weights(weights)


def _shares(
    original: KerasModel,
    changed: KerasModel,
    config: OneshotPrune,
    names: tuple[str, ...],
    inputs: Inputs,
    context: Context,
) -> dict[str, float]:
    """Return the share of zeros of each layer. Layers of ``changed`` are pruned one by one, and restored."""
    if config.pattern == "2:4" or config.allocation == "uniform" or len(names) == 1 or not config.sparsity:
        return dict.fromkeys(names, 0.5 if config.pattern == "2:4" else config.sparsity)
    rows = dict.fromkeys(names, CURVE_ROWS)
    judged = tuple(x[:JUDGED] for x in inputs)
    change = change_of_outputs(outputs_of(original, judged), judged)
    curves = []
    with context.progress.step("finding where zeros cost least", len(names)) as advance:
        grams = gather_grams(original, original, names, inputs, rows, context.seed)
        for name in names:
            layer = changed.get_layer(name)
            path = _path(layer, grams[name], CURVE_LEVELS, config)
            before = layer.get_weights()
            tried = min(path, key=lambda found: abs(found.sparsity - config.sparsity))
            _set(layer, tried)
            factor = change(changed) / max(tried.error, 1e-12)
            layer.set_weights(before)
            levels = tuple(found.sparsity for found in path)
            curves.append(LayerCurve(before[0].size, levels, tuple(factor * f.error for f in path)))
            advance(1)
    return dict(zip(names, allocate(curves, config.sparsity), strict=True))


def outputs_of(model: KerasModel, inputs: Inputs) -> Inputs:
    """Return a tf_keras model's outputs on samples."""
    return keras_network(model, "original", True).predict(inputs)


def keep_better_batchnorm(
    original: KerasModel, changed: KerasModel, inputs: Inputs, others: Inputs, context: Context
) -> None:
    """Re-estimate BatchNorm, and undo it if other samples say that it did harm."""
    change = change_of_outputs(outputs_of(original, others), others)
    before, weights = change(changed), changed.get_weights()
    with context.progress.step("re-estimating BatchNorm"):
        if reestimate_batchnorm(changed, inputs, context.seed) and change(changed) >= before:
            changed.set_weights(weights)

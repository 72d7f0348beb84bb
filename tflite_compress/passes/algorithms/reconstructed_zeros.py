"""The network that pruning begins with: zeros are chosen, and other weights solved for, without training.

Frantar and Alistarh, "Optimal Brain Compression" (arXiv:2208.11580); see pass ``oneshot_prune``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tflite_compress.models.keras_types import KerasModel
from tflite_compress.passes.algorithms.oneshot import can_be_solved, pruned_network, zeros_of
from tflite_compress.passes.oneshot_prune import OneshotPrune

if TYPE_CHECKING:
    from tflite_compress.passes.base import Context
    from tflite_compress.passes.prune import Prune

MAX_SPARSITY = 0.95  # of all layers together, above which no solution is sought


def with_zeros(
    handle: KerasModel, config: Prune, names: Collection[str], context: Context
) -> tuple[KerasModel, dict[str, float]]:
    """Return a copy with zeros, and their share in each layer that has them.

    Args:
        handle: A tf_keras model; unchanged.
        config: Sparsity and pattern.
        names: The layers to prune. Those that cannot be solved for keep their weights.
        context: Data, seed and progress.
    """
    from tflite_compress.models.copying import copied
    from tflite_compress.models.wiring import wiring

    solving = OneshotPrune(
        sparsity=min(config.sparsity, MAX_SPARSITY), pattern=config.pattern, block_size=config.block_size
    )
    shared = wiring(handle).shared
    solved = tuple(
        layer.name
        for layer in handle.layers
        if layer.name in names and layer.name not in shared and can_be_solved(layer, solving)
    )
    if not solved or config.sparsity > MAX_SPARSITY:
        return copied(handle), {}
    changed = pruned_network(handle, solving, solved, context)
    return changed, {name: zeros_of(changed, name) for name in solved}

"""The network that pruning begins with: zeros are chosen, and other weights solved for, without training.

Frantar and Alistarh, "Optimal Brain Compression" (arXiv:2208.11580); see pass ``oneshot_prune``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tflite_compress.models.keras_types import KerasModel
from tflite_compress.passes.algorithms.oneshot import pruned_network, solvable_layers, takes_pattern, zeros_of
from tflite_compress.passes.oneshot_prune import OneshotPrune

if TYPE_CHECKING:
    from tflite_compress.passes.base import Context
    from tflite_compress.passes.prune import Prune

MAX_SPARSITY = 0.95  # the largest that ``oneshot_prune`` accepts; above it, no layer gets zeros here


def with_zeros(
    handle: KerasModel, config: Prune, names: Collection[str], context: Context
) -> tuple[KerasModel, dict[str, float]]:
    """Return a network with zeros, and their share in each layer that has them.

    Args:
        handle: A tf_keras model; unchanged.
        config: Sparsity and pattern.
        names: The layers to prune. Those that cannot be solved for keep their weights.
        context: Data, seed and progress.
    """
    if config.sparsity > MAX_SPARSITY:
        return handle, {}
    solving = OneshotPrune(sparsity=config.sparsity, pattern=config.pattern, block_size=config.block_size)
    able = solvable_layers(handle)
    solved = tuple(name for name in able if name in names and takes_pattern(able[name], solving))
    if not solved:
        return handle, {}
    changed = pruned_network(handle, solving, solved, context)
    return changed, {name: zeros_of(changed, name) for name in solved}

"""Rounding learned over blocks of layers.

Layers that feed each other compensate each other's rounding. The rounding of all weights of a block, the step
sizes and the biases are learned together, so that the outputs of the block come close to those of the float
model, with inputs from the blocks that are already rounded (Li et al., "BRECQ: Pushing the Limit of
Post-Training Quantization by Block Reconstruction", arXiv:2102.05426, with the rounding of Nagel et al.,
"Up or Down?", arXiv:2004.10568). A block ends where a single tensor connects it with the rest, as after a
residual sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tflite_compress.passes.base import Context, register
from tflite_compress.passes.repair import Repair
from tflite_compress.passes.setting_bounds import Count, Rate
from tflite_compress.passes.values import FloatModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tflite_compress.models.keras_types import KerasModel


@register
class BlockRound(Repair, frozen=True, tag="block_round"):
    """Learn the rounding of the weights of whole blocks, from training samples without labels.

    The pass is kept only if the quantized model improves on samples that it did not learn from.

    Attributes:
        steps: Gradient steps per block.
        batch_size: Samples per step.
        learning_rate: Learning rate of Adam for the rounding.
        samples: Maximum number of training samples to learn from.
        block_layers: Neighbouring blocks are joined up to this number of layers with weights.
    """

    steps: Count = 500
    batch_size: Count = 32
    learning_rate: Rate = 0.02
    samples: Count = 1024
    block_layers: Count = 3

    def summary(self) -> str:
        """Return ``rounding learned over blocks``."""
        return "rounding learned over blocks"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with rounded weights.

        Args:
            model: A model with a network.
            context: Training samples and seed.

        Returns:
            The rounded model; the given one with a note if it cannot be edited or does not improve.
        """
        from tflite_compress.passes.algorithms.held_out import learning_and_judging
        from tflite_compress.passes.algorithms.kept_rounding import keep_rounding

        learning, judging = learning_and_judging(context, self.samples)

        def round_layers(plain: KerasModel, work: KerasModel, bits: Mapping[str, int]) -> None:
            self._round_blocks(plain, work, bits, learning)

        return keep_rounding(self, model, context, round_layers, judging, rounds_shared=False)

    def _round_blocks(
        self, plain: KerasModel, work: KerasModel, bits: Mapping[str, int], learning: Context
    ) -> None:
        """Round the layers of ``work`` block by block."""
        from tflite_compress.passes.algorithms.block_rounding import (
            inputs_of,
            learn_block,
            outputs_of,
            part_of,
        )
        from tflite_compress.passes.algorithms.blocks import find_blocks
        from tflite_compress.passes.algorithms.learned_rounding import step_grid
        from tflite_compress.support.backend import seed_everything

        blocks = find_blocks(work, [*bits], self.block_layers)
        seed_everything(learning.seed)
        given = wanted = inputs_of(work, blocks[0], learning.reference.splits.calibrate.inputs)
        title = f"learning to round {len(blocks)} blocks of layers"
        with learning.progress.step(title, len(blocks) * self.steps) as advance:
            for index, block in enumerate(blocks):
                if learning.budget.is_used:
                    learning.budget.cut(f"learned rounding stopped after {index} of {len(blocks)} blocks")
                    return
                is_last = index == len(blocks) - 1
                grids = {
                    name: step_grid(work.get_layer(name), bits[name], self.per_channel)
                    for name in block.names
                }
                wanted = outputs_of(part_of(plain, block, is_last), wanted)
                part = part_of(work, block, is_last)
                found = learn_block(part, grids, given, wanted, self, learning.seed, advance)
                for name, weights in found.items():
                    work.get_layer(name).set_weights(weights)
                given = outputs_of(part_of(work, block, is_last), given)

"""Adaptive rounding: learn for each weight whether to round it up or down.

Layers are rounded in order of execution. Rounding is learned so that the outputs of a layer come close to
those of the float model, with inputs from the layers that are already rounded (Nagel et al., "Up or Down?
Adaptive Rounding for Post-Training Quantization", arXiv:2004.10568). Step sizes equal the converter's. 4-bit
weights are first clipped at the threshold with the smallest squared error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tflite_compress.passes.base import Context, register
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.setting_bounds import Count, Rate
from tflite_compress.passes.values import FloatModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tflite_compress.models.keras_types import KerasModel


@register
class AdaRound(Repair, frozen=True, tag="adaround"):
    """Learn the rounding of weights from calibration samples.

    The pass is kept only if the quantized model improves on the calibration samples.

    Attributes:
        steps: Gradient steps per layer.
        batch_size: Samples per step.
        learning_rate: Learning rate of Adam.
    """

    automatic: ClassVar = Automatic(order=3, quick=False)

    steps: Count = 400
    batch_size: Count = 32
    learning_rate: Rate = 0.02

    def summary(self) -> str:
        """Return ``learned rounding``."""
        return "learned rounding"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with rounded weights.

        Args:
            model: A model with a network.
            context: Calibration samples and seed.

        Returns:
            The rounded model; the given one with a note if it cannot be edited or does not improve.
        """
        from tflite_compress.passes.algorithms.kept_rounding import keep_rounding

        def round_layers(plain: KerasModel, work: KerasModel, bits: Mapping[str, int]) -> None:
            self._round_layers(plain, work, bits, context)

        return keep_rounding(self, model, context, round_layers)

    def _round_layers(
        self, plain: KerasModel, work: KerasModel, bits: Mapping[str, int], context: Context
    ) -> None:
        """Round the layers of ``work`` one by one."""
        from tflite_compress.passes.algorithms.learned_rounding import learn, step_grid, values_of
        from tflite_compress.support.backend import seed_everything

        seed_everything(context.seed)
        inputs = context.reference.splits.calibrate.inputs
        title = f"learning to round {len(bits)} layers"
        with context.progress.step(title, len(bits) * self.steps) as advance:
            for index, name in enumerate(bits):
                if context.budget.is_used:
                    context.budget.cut(f"learned rounding stopped after {index} of {len(bits)} layers")
                    return
                layer = work.get_layer(name)
                grid = step_grid(layer, bits[name], self.per_channel)
                wanted = values_of(plain, plain.get_layer(name), inputs, outputs=True)
                given = values_of(work, layer, inputs, outputs=False)
                learn(layer, grid, given, wanted, self, context.seed, advance)

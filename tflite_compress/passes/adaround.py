"""Adaptive rounding: learn for each weight whether to round it up or down.

Layers are rounded in order of execution. Rounding is learned so that the outputs of a layer come close to
those of the float model, with inputs from the layers that are already rounded (Nagel et al., "Up or Down?
Adaptive Rounding for Post-Training Quantization", arXiv:2004.10568). Step sizes equal the converter's. 4-bit
weights are first clipped at the threshold with the smallest squared error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from tflite_compress.passes.base import Context, register
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.setting_bounds import Count, Rate
from tflite_compress.passes.values import FloatModel, FourBitRounding, LayerTypes
from tflite_compress.support.notes import Note, named

if TYPE_CHECKING:
    from tflite_compress.models.network import Network


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
        from tflite_compress.passes.algorithms.quality import keep_if_better

        network = model.network
        if not network.editable:
            return model.noting(Note("pass-left-out", f"adaround left out: {network.why_not_editable}"))
        types = model.fact(LayerTypes).by_layer
        settings = (
            *(self.steps, self.batch_size, self.learning_rate, self.per_channel, context.seed),
            tuple(types.items()),
        )
        changed, others = context.shared.once(
            "adaround",
            network,
            settings,
            lambda: self._rounded(model, context),
            lambda: not context.budget.is_used,
        )
        if changed is None:
            return model.noting(Note("pass-left-out", "adaround left out: no layer can be rounded"))
        # Learned weights are multiples of the scales of rounding to nearest.
        rounded = replace(model, network=changed).with_fact(FourBitRounding())
        done = keep_if_better("adaround", model, rounded, self, context)
        if others:
            return done.noting(Note("rounded-to-nearest", f"rounded to nearest: {named(others)}"))
        return done

    def _rounded(self, model: FloatModel, context: Context) -> tuple[Network | None, list[str]]:
        """Return the network with rounded weights, or None, and the layers that are rounded to nearest."""
        from tflite_compress.passes.algorithms.fold import without_batchnorm
        from tflite_compress.passes.algorithms.learned_rounding import LEARNED, learn, step_grid, values_of
        from tflite_compress.passes.algorithms.quality import with_handle
        from tflite_compress.support.backend import seed_everything

        seed_everything(context.seed)
        handle, types = model.network.handle, model.fact(LayerTypes).by_layer
        plain, work = without_batchnorm(handle), without_batchnorm(handle)
        layers = [
            layer
            for layer in work.layers
            if type(layer).__name__ in LEARNED and types.get(layer.name, "int8") in ("int8", "int4")
        ]
        if not layers:
            return None, []
        inputs = context.reference.splits.calibrate.inputs
        total = len(layers) * self.steps
        with context.progress.step(f"learning to round {len(layers)} layers", total) as advance:
            for index, layer in enumerate(layers):
                if context.budget.is_used:
                    context.budget.cut(f"learned rounding stopped after {index} of {len(layers)} layers")
                    break
                grid = step_grid(layer, 4 if types.get(layer.name) == "int4" else 8, self.per_channel)
                wanted = values_of(plain, plain.get_layer(layer.name), inputs, outputs=True)
                given = values_of(work, layer, inputs, outputs=False)
                learn(layer, grid, given, wanted, self, context.seed, advance)
        others = [layer.name for layer in work.layers if layer.trainable_weights and layer not in layers]
        return with_handle(model, work).network, others

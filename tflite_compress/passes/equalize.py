"""Cross-layer equalization: give the channels between two layers equal ranges and keep the function.

The output channel of a layer with a positively homogeneous activation, such as ReLU, can be divided by a
positive factor if the next layer's weights for that channel are multiplied by it (Nagel et al., "Data-Free
Quantization Through Weight Equalization and Bias Correction", arXiv:1906.04721, sections 4.1 and 4.2). With
per-channel scales, differences between the weights of channels do no harm, so the ranges of activations are
equalized instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tflite_compress.passes.base import Context, register
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.models.network import Network


@register
class Equalize(Repair, frozen=True, tag="equalize"):
    """Equalize the ranges of channels before quantization.

    The pass is kept only if the quantized model improves on the calibration samples.

    Attributes:
        balance: Ranges to equalize: those of ``activations`` on calibration samples, or those of ``weights``
            as in the paper. ``auto`` takes weights for per-tensor scales, activations for per-channel scales.
        absorb_bias: Subtract the smallest value of each channel from its bias and add its effect to the next
            layer's bias.
    """

    automatic: ClassVar = Automatic(order=1, quick=True)

    balance: Literal["auto", "activations", "weights"] = "auto"
    absorb_bias: bool = True

    def summary(self) -> str:
        """Return ``repaired``."""
        return "repaired"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with equalized channels.

        Args:
            model: A model with a network.
            context: Calibration samples.

        Returns:
            The equalized model; the given one with a note if it cannot be edited or does not improve.
        """
        from tflite_compress.passes.algorithms.quality import keep_if_better

        network = model.network
        if not network.editable:
            return model.noting(Note("pass-left-out", f"equalize left out: {network.why_not_editable}"))
        settings = (self.balance, self.absorb_bias, self.per_channel)
        changed = context.shared.once("equalize", network, settings, lambda: self._equalized(model, context))
        if isinstance(changed, str):
            return model.noting(Note("pass-left-out", f"equalize left out: {changed}"))
        return keep_if_better("equalize", model, replace(model, network=changed), self, context)

    def _equalized(self, model: FloatModel, context: Context) -> Network | str:
        """Return the equalized network, or why there is none."""
        from tflite_compress.passes.algorithms.equalization import (
            SWEEPS,
            absorb,
            activation_ranges,
            equalizable,
            even_out,
        )
        from tflite_compress.passes.algorithms.fold import without_batchnorm
        from tflite_compress.passes.algorithms.quality import same_function, with_handle

        network = model.network
        folded = without_batchnorm(network.handle)
        pairs = equalizable(folded)
        if not pairs:
            return "no two layers can be equalized"
        with context.progress.step("equalizing", SWEEPS) as advance:
            inputs = context.reference.splits.calibrate.inputs
            by_weights = self.balance == "weights" or (self.balance == "auto" and not self.per_channel)
            for _ in range(SWEEPS):
                ranges = {} if by_weights else activation_ranges(folded, pairs, inputs)
                for pair in pairs:
                    even_out(folded, pair, ranges.get(pair.producer))
                advance(1)
            if self.absorb_bias:
                absorb(folded, pairs, inputs)
        if not same_function(network.handle, folded, context):
            return "outputs of the float model would change by more than rounding"
        return with_handle(model, folded).network

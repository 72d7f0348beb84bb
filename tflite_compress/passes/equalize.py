"""Cross-layer equalization: bring the channels between two layers to one range without changing the function.

A channel behind a positively homogeneous activation can be divided by any positive number if the next layer's
weights for it are multiplied by the same. Source: Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction" (arXiv:1906.04721), sections 4.1 and 4.2. Where each channel has a scale of
its own, the converter evens out the weights, so ranges of activations are used instead of the producer's
weights.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from tflite_compress.passes.base import Context, register
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.notes import Note


@register
class Equalize(Repair, frozen=True, tag="equalize"):
    """Bring channels to one range before quantization; kept only if the quantized model gets better.

    Attributes:
        balance: What to even out: ranges of ``activations`` on calibration data, of the ``weights`` as in
            the paper, or ``auto``: weights where one scale holds all of a kernel, else activations.
        absorb_bias: Move what all samples of a channel have in common into the next layer's bias.
    """

    automatic: ClassVar = Automatic(order=1, quick=True)

    balance: Literal["auto", "activations", "weights"] = "auto"
    absorb_bias: bool = True

    def summary(self) -> str:
        """Return ``repaired``."""
        return "repaired"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Equalize a model's network.

        Args:
            model: A model; one whose network cannot be edited stays as it is, with a note.
            context: Gives the calibration samples.
        """
        from tflite_compress.passes.algorithms.equalization import (
            SWEEPS,
            absorb,
            activation_ranges,
            equalizable,
            even_out,
        )
        from tflite_compress.passes.algorithms.fold import without_batchnorm
        from tflite_compress.passes.algorithms.quality import keep_if_better, same_function, with_handle

        network = model.network
        if not network.editable:
            return model.noting(Note("pass-left-out", f"equalize left out: {network.why_not_editable}"))
        folded = without_batchnorm(network.handle)
        pairs = equalizable(folded)
        if not pairs:
            return model.noting(Note("pass-left-out", "equalize found no two layers it could even out"))
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
            return model.noting(
                Note(
                    "pass-left-out",
                    "equalize left out: the function would have changed by more than rounding",
                )
            )
        return keep_if_better("equalize", model, with_handle(model, folded), self, context)

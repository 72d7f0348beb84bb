"""Bias correction: subtract the mean error that rounded weights add to each output channel.

Let W be the weights of a layer, W' the rounded weights and E[x] the mean of its inputs. Rounding shifts the
mean of the outputs by (W' - W) E[x], which is subtracted from the bias (Nagel et al., arXiv:1906.04721,
section 4.2). E[x] is measured on calibration samples ("empirical"), or computed from the BatchNorm before the
layer under the assumption of Gaussian pre-activations ("analytic", appendix C). Weights are rounded as the
converter does: symmetrically, with 127 for the largest weight of a channel or kernel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tflite_compress.passes.base import Context, register
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.values import FloatModel, LayerTypes
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.models.network import Network


@register
class BiasCorrect(Repair, frozen=True, tag="bias_correct"):
    """Correct biases for the mean error of rounded weights.

    The pass is kept only if the quantized model improves on the calibration samples.

    Attributes:
        means: How the means of a layer's inputs are found: ``empirical`` measures them on calibration
            samples, ``analytic`` computes them from the BatchNorm before the layer. With ``analytic``, layers
            without such a BatchNorm keep their biases.
    """

    automatic: ClassVar = Automatic(order=4, quick=True)

    means: Literal["empirical", "analytic"] = "empirical"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with corrected biases.

        Args:
            model: A model with a network.
            context: Calibration samples.

        Returns:
            The corrected model; the given one with a note if it cannot be edited or does not improve.
        """
        from tflite_compress.passes.algorithms.quality import keep_if_better

        network = model.network
        if not network.editable:
            return model.noting(Note("pass-left-out", f"bias_correct left out: {network.why_not_editable}"))
        changed = self.corrected(model, context)
        if changed is None:
            return model.noting(
                Note("pass-left-out", f"bias_correct left out: no layer has a bias and {self.means} means")
            )
        return keep_if_better("bias_correct", model, replace(model, network=changed), self, context)

    def corrected(self, model: FloatModel, context: Context) -> Network | None:
        """Return the network with corrected biases; None if it has none to correct.

        Args:
            model: A model with an editable network.
            context: Calibration samples.
        """
        settings = (self.means, self.per_channel, tuple(model.fact(LayerTypes).by_layer.items()))
        return context.shared.once(
            "bias_correct", model.network, settings, lambda: self._corrected(model, context)
        )

    def _corrected(self, model: FloatModel, context: Context) -> Network | None:
        from tflite_compress.passes.algorithms.bias_correction import (
            analytic_means,
            input_means,
            rounded,
            shift,
        )
        from tflite_compress.passes.algorithms.fold import FOLDABLE, without_batchnorm
        from tflite_compress.passes.algorithms.quality import with_handle

        network, types = model.network, model.fact(LayerTypes).by_layer
        folded = without_batchnorm(network.handle)
        layers = [layer for layer in folded.layers if type(layer).__name__ in FOLDABLE and layer.use_bias]
        analytic = analytic_means(network.handle) if self.means == "analytic" else {}
        if self.means == "analytic":
            layers = [layer for layer in layers if layer.name in analytic]
        if not layers:
            return None
        with context.progress.step("correcting biases"):
            means = analytic or input_means(folded, layers, context.reference.splits.calibrate.inputs)
            for layer in layers:
                kernel, bias = layer.get_weights()
                bits = 4 if types.get(layer.name) == "int4" else 8
                error = rounded(layer, kernel, self.per_channel, bits) - kernel
                layer.set_weights([kernel, bias - shift(layer, error, means[layer.name])])
        return with_handle(model, folded).network

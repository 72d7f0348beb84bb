"""Bias correction: take back what rounding the weights shifts each channel by on average.

With W the weights, W' the rounded ones and E[x] the mean of a layer's inputs, its outputs shift by
(W' - W) E[x]; the bias is corrected by that. Source: Nagel et al., arXiv:1906.04721, section 4.2: E[x]
measured on calibration samples ("empirical"), or computed from the BatchNorm before the layer
("analytic", for Gaussian pre-activations, appendix C). Rounding is the converter's: symmetric, the
largest weight of a channel (or kernel) at 127.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from tflite_compress.passes.base import Context, register
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.values import FloatModel
from tflite_compress.support.notes import Note


@register
class BiasCorrect(Repair, frozen=True, tag="bias_correct"):
    """Correct biases for the mean error of rounded weights; kept only if the quantized model gets better.

    Attributes:
        means: Means of each layer's inputs: ``empirical``, measured on calibration samples, or ``analytic``,
            computed from the BatchNorm before it; layers without one keep their biases.
    """

    automatic: ClassVar = Automatic(order=4, quick=True)

    means: Literal["empirical", "analytic"] = "empirical"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Correct a model's biases.

        Args:
            model: A model; one whose network cannot be edited stays as it is, with a note.
            context: Gives the calibration samples.
        """
        from tflite_compress.passes.algorithms.bias_correction import (
            analytic_means,
            input_means,
            rounded,
            shift,
        )
        from tflite_compress.passes.algorithms.fold import FOLDABLE, without_batchnorm
        from tflite_compress.passes.algorithms.quality import keep_if_better, with_handle

        network = model.network
        if not network.editable:
            return model.noting(Note("pass-left-out", f"bias-correct left out: {network.why_not_editable}"))
        folded = without_batchnorm(network.handle)
        layers = [layer for layer in folded.layers if type(layer).__name__ in FOLDABLE and layer.use_bias]
        analytic = analytic_means(network.handle) if self.means == "analytic" else {}
        if self.means == "analytic":
            layers = [layer for layer in layers if layer.name in analytic]
        if not layers:
            return model.noting(
                Note("pass-left-out", f"bias-correct found no layer with a bias and {self.means} means")
            )
        with context.progress.step("correcting biases"):
            means = analytic or input_means(folded, layers, context.reference.splits.calibrate.inputs)
            for layer in layers:
                kernel, bias = layer.get_weights()
                error = rounded(layer, kernel, self.per_channel) - kernel
                layer.set_weights([kernel, bias - shift(layer, error, means[layer.name])])
        return keep_if_better("bias-correct", model, with_handle(model, folded), self, context)

"""Activation ranges by another method than from the smallest to the largest value, if that helps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tflite_compress.conversion import METHODS, Method
from tflite_compress.passes.base import (
    Context,
    Model,
    register,
)
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.support.errors import ConversionError

if TYPE_CHECKING:
    from tflite_compress.passes.algorithms.quality import Quality


@register
class Ranges(Repair, frozen=True, tag="ranges"):
    """Choose activation ranges by percentile, MSE or KL; kept only if the quantized model gets better.

    Attributes:
        method: One of them, or ``auto`` for the best on the calibration samples; see
            ``conversion.activation_ranges`` for what they are and where they come from.
    """

    automatic: ClassVar = Automatic(order=2, quick=True)

    method: Literal["auto", "percentile", "mse", "kl"] = "auto"

    def apply(self, model: Model, context: Context) -> Model:
        """Settle how activation ranges are chosen.

        Args:
            model: A model with a network.
            context: Gives the calibration samples.
        """
        from tflite_compress.conversion.per_layer import prepare, quantized
        from tflite_compress.models.unroll import unrolled
        from tflite_compress.passes.algorithms.quality import quality, quality_of

        network = unrolled(model.network)
        samples = context.reference.splits.calibrate.inputs
        precision = self.conversion.precision
        tried: dict[Method, Quality] = {}
        try:
            with context.progress.step("ranges: observing activations", len(samples[0])) as advance:
                plain = prepare(network, samples, True, advance)
                tried["minmax"] = quality(model, self, context)
            for method in METHODS[1:] if self.method == "auto" else (self.method,):
                content, notes = quantized(plain, precision, model.types, method, False, self.per_channel)
                if notes:
                    return model.noting(f"ranges left out: {notes[0].text}")
                tried[method] = quality_of(content, network, context)
        except ConversionError as error:
            return model.noting(f"ranges left out: {error.message}")
        best = max(tried, key=lambda m: (round(tried[m].score, 6), tried[m].snr_db))
        figures = ", ".join(f"{method} {found}" for method, found in tried.items())
        if best == "minmax":
            return model.noting(f"ranges left out, none was better on the calibration samples: {figures}")
        return replace(model, ranges=best).noting(f"ranges by {best}, on the calibration samples: {figures}")

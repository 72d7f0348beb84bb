"""Another calibration method than ``minmax``, if it improves the quantized model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from tflite_compress.conversion import METHODS, Method
from tflite_compress.passes.base import Context, register
from tflite_compress.passes.convert import plain_file
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.values import CalibrationMethod, FloatModel, FourBitRounding, LayerTypes
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.passes.algorithms.quality import Quality


@register
class Calibration(Repair, frozen=True, tag="calibration"):
    """Choose the calibration method: percentile, mean squared error or entropy.

    The pass is kept only if the quantized model improves on the calibration samples.

    Attributes:
        method: The method, or ``auto`` for the best on the calibration samples; see
            ``conversion.activation_ranges`` for their sources.
    """

    automatic: ClassVar = Automatic(order=2, quick=True)
    for_activations: ClassVar = True

    method: Literal["auto", "percentile", "mse", "entropy"] = "auto"

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with the calibration method that gives the best quantized model.

        Args:
            model: A model with a network.
            context: Calibration samples.
        """
        from tflite_compress.conversion.per_layer import quantized
        from tflite_compress.passes.algorithms.quality import quality, quality_of

        samples = context.reference.splits.calibrate.inputs
        precision = self.conversion.precision
        types, rounding = model.fact(LayerTypes).by_layer, model.fact(FourBitRounding).rounding
        tried: dict[Method, Quality] = {}
        try:
            with context.progress.step("calibration: observing activations", len(samples[0])) as advance:
                plain = plain_file(model, True, context, advance)
                tried["minmax"] = quality(model, self, context)
            for method in METHODS[1:] if self.method == "auto" else (self.method,):
                made = quantized(plain, precision, types, method, False, self.per_channel, rounding)
                made.require_integers()
                tried[method] = quality_of(made.content, model.network, context)
        except ConversionError as error:
            return model.noting(Note("pass-left-out", f"calibration left out: {error.message}"))
        plain_quality, others = tried["minmax"], [m for m in tried if m != "minmax"]
        better = [m for m in others if tried[m].better_than(plain_quality, len(others))]
        best: Method = max(better, key=lambda m: tried[m].rank, default="minmax")
        figures = ", ".join(f"{method} {found}" for method, found in tried.items())
        if best == "minmax":
            return model.noting(
                Note(
                    "pass-left-out",
                    f"no calibration method was better than minmax on the calibration samples: {figures}",
                )
            )
        text = f"calibration method {best}, on the calibration samples: {figures}"
        return model.with_fact(CalibrationMethod(best)).noting(Note("calibration-method-chosen", text))

"""Mixed precision: the few layers that cost the most accuracy get wider numbers.

As in TFLite's quantization debugger ("Inspecting Quantization Errors", tensorflow.org), layers are tried
one by one and the outputs looked at; here also each together with those that read it, since what lies
between two layers is only wide if both are. They are added greedily while that is worth it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import msgspec

from tflite_compress.conversion import LayerType
from tflite_compress.passes.base import Context, ConversionPass, register
from tflite_compress.passes.convert import plain_file
from tflite_compress.passes.repair import Automatic, Repair
from tflite_compress.passes.setting_bounds import Count
from tflite_compress.passes.values import CalibrationMethod, FloatModel, FourBitRounding, LayerTypes
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.conversion.per_layer import Plain, QuantizedFile
    from tflite_compress.passes.algorithms.quality import Quality
    from tflite_compress.profiles.devices import Device


WORTH = 0.005  # gain of agreement that is worth the time of wider types
MAX_TRIED_AGAIN = 12  # groups of layers tried after the first round: those that helped most there


@register
class Mixed(Repair, frozen=True, tag="mixed"):
    """Give the most sensitive layers int16 activations or float.

    The pass is kept only if the outputs on the calibration samples agree clearly more with the original's.
    The accuracy on them is not compared, because a single label can decide it where samples are few.

    Attributes:
        types: Types to try, the cheaper first; types that the device does not run are left out.
        max_layers: Maximum number of layers.
    """

    automatic: ClassVar = Automatic(order=5, quick=False)
    for_activations: ClassVar = True

    types: tuple[LayerType, ...] = ("int16x8", "float32")
    max_layers: Count = 4

    def summary(self) -> str:
        """Return ``mixed precision``."""
        return "mixed precision"

    def resolve(self, conversion: ConversionPass, device: Device) -> Mixed | None:
        """Keep the types that the device runs."""
        types = tuple(t for t in self.types if t in device.precisions.supported)
        filled = super().resolve(conversion, device)
        return None if filled is None else msgspec.structs.replace(filled, types=types)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with wider types for its most sensitive layers.

        Args:
            model: A model with a network.
            context: Calibration samples.
        """
        if not self.types:
            return model.noting(Note("pass-left-out", "mixed left out: the device runs no wider type"))
        samples = context.reference.splits.calibrate.inputs
        try:
            with context.progress.step("mixed: measuring activations", len(samples[0])) as advance:
                histograms = model.fact(CalibrationMethod).method != "minmax"
                plain = plain_file(model, histograms, context, advance)
            fixed = model.fact(LayerTypes).by_layer
            before = measure(plain, fixed, self, model, context)
            found = [_greedy(plain, kind, before, self, model, context) for kind in self.types]
        except ConversionError as error:
            return model.noting(Note("pass-left-out", f"mixed left out: {error.message}"))
        best, types = _chosen(found)
        figures = f"{before} before, {best} after"
        if best.gain_over(before) < WORTH:
            text = f"mixed left out, it hardly helped on the calibration samples: {figures}"
            return model.noting(Note("pass-left-out", text))
        added = ", ".join(f"{name} in {kind}" for name, kind in types.items())
        text = f"{added}: on the calibration samples {figures}"
        wider = LayerTypes({**model.fact(LayerTypes).by_layer, **types})
        return model.with_fact(wider).noting(Note("layer-types-chosen", text))


def _chosen(
    found: list[tuple[Quality, dict[str, LayerType]]],
) -> tuple[Quality, dict[str, LayerType]]:
    """Return the first entry, that of the cheapest type, unless a later one is clearly better."""
    best, *others = found
    for other in others:
        if other[0].clearly_better_than(best[0], len(others)):
            best = other
    return best


def _greedy(
    plain: Plain, kind: LayerType, before: Quality, config: Mixed, model: FloatModel, context: Context
) -> tuple[Quality, dict[str, LayerType]]:
    """Add the layer, alone or with its readers, that helps most, up to ``max_layers`` layers."""
    fixed = model.fact(LayerTypes).by_layer
    able = [layer for layer in plain.layers if layer.name not in fixed]
    readers = {layer.name: [r.name for r in able if layer.name in r.reads] for layer in able}
    groups = {frozenset(g) for name in readers for g in ((name,), (name, *readers[name]))}
    chosen: frozenset[str] = frozenset()
    quality = before
    while True:
        options = {chosen | g for g in groups if len(chosen | g) <= config.max_layers} - {chosen}
        if not options:
            return quality, dict.fromkeys(sorted(chosen), kind)
        title = f"mixed: trying {kind} in {len(options)} groups of layers, {len(chosen)} layers chosen"
        tried: dict[frozenset[str], Quality] = {}
        with context.progress.step(title, len(options)) as advance:
            for names in sorted(options, key=sorted):
                if context.budget.is_used:
                    context.budget.cut(f"mixed tried {len(tried)} of {len(options)} choices of {kind}")
                    break
                types = {**fixed, **dict.fromkeys(names, kind)}
                tried[names] = measure(plain, types, config, model, context)
                advance(1)
        ranked = sorted(tried, key=lambda names: tried[names].rank, reverse=True)
        if not ranked or not tried[ranked[0]].clearly_better_than(quality, len(tried)):
            return quality, dict.fromkeys(sorted(chosen), kind)
        groups = {names - chosen for names in ranked[:MAX_TRIED_AGAIN]}
        chosen, quality = ranked[0], tried[ranked[0]]


def measure(
    plain: Plain, types: Mapping[str, LayerType], config: Repair, model: FloatModel, context: Context
) -> Quality:
    """Return the quality of a float32 file after quantization with these types.

    Raises:
        ConversionError: An operator would stay in float32, or litert-quantizer cannot quantize the file.
    """
    from tflite_compress.passes.algorithms.quality import quality_of

    made = quantized_file(plain, types, config, model)
    made.require_integers()
    return quality_of(made.content, model.network, context)


def quantized_file(
    plain: Plain, types: Mapping[str, LayerType], config: Repair, model: FloatModel
) -> QuantizedFile:
    """Return a float32 file quantized with these types, with inputs and outputs in float32.

    Raises:
        ConversionError: litert-quantizer cannot quantize the file.
    """
    from tflite_compress.conversion.per_layer import quantized

    method, rounding = model.fact(CalibrationMethod).method, model.fact(FourBitRounding).rounding
    precision = config.conversion.precision
    return quantized(plain, precision, types, method, False, config.per_channel, rounding)

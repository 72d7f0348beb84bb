"""Four-bit weights for the layers that keep the accuracy with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tflite_compress.conversion import FOUR_BIT, LayerType, WeightRounding
from tflite_compress.passes.base import Context, ConversionPass, register
from tflite_compress.passes.convert import plain_file
from tflite_compress.passes.layer_patterns import layer_patterns
from tflite_compress.passes.mixed import measure, quantized_file
from tflite_compress.passes.repair import Repair
from tflite_compress.passes.setting_bounds import Ratio, Share
from tflite_compress.passes.values import CalibrationMethod, FloatModel, FourBitRounding, LayerTypes
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note, named
from tflite_compress.support.progress import Advance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tflite_compress.conversion.per_layer import Plain
    from tflite_compress.passes.algorithms.quality import Quality
    from tflite_compress.profiles.devices import Device

MIN_WEIGHTS = 256  # fewer save less than a scale takes


@register
class Int4(Repair, frozen=True, tag="int4"):
    """Store weights in 4 bits, the least sensitive layers first, while the accuracy is kept.

    The accuracy is that on the calibration samples, before rounding is learned (passes ``adaround`` and
    ``block_round``). Until then weights are rounded to nearest, or by OCTAV or GPTQ of litert-quantizer where
    a paired test on training samples shows that the outputs are significantly closer to the float network's.

    Attributes:
        max_calibration_drop: Accuracy drop allowed on the calibration samples. With 1, every layer that
            supports 4 bits gets them, and no layer is measured.
        target_size: Maximum size of the file, as a share of its size with 8-bit weights. Below 1, the layers
            with 4 bits are those that reach the size with the least noise in the outputs, found by an integer
            program, and ``max_calibration_drop`` is not used.
        exclude: Regular expressions; layers whose name matches one keep 8 bits.
        operators: Operators that run with 4-bit weights, named as in ``schema.fbs``; filled in from the
            device.
        rounding: How weights are rounded before rounding is learned: ``nearest``; ``octav``, with clipped
            scales; ``gptq``, in dense layers with compensation of the error; ``gptq_octav``, by GPTQ in dense
            layers and by OCTAV elsewhere; or ``auto``.
    """

    changes_size: ClassVar = True
    safer_values: ClassVar = {"max_calibration_drop": min, "target_size": max}

    max_calibration_drop: Share = 0.01
    target_size: Ratio = 1.0
    exclude: tuple[str, ...] = ()
    operators: tuple[str, ...] = FOUR_BIT
    rounding: WeightRounding | Literal["auto"] = "auto"

    def summary(self) -> str:
        """Return ``4-bit weights``."""
        return "4-bit weights"

    def resolve(self, conversion: ConversionPass, device: Device) -> Int4 | None:
        """Keep the operators that the device runs with 4-bit weights."""
        operators = tuple(op for op in self.operators if op in device.runtime.four_bit)
        filled = super().resolve(conversion, device)
        return None if filled is None else msgspec.structs.replace(filled, operators=operators)

    def apply(self, model: FloatModel, context: Context) -> FloatModel:
        """Return the model with 4-bit weights for its least sensitive layers.

        Args:
            model: A model with a network.
            context: Calibration samples.

        Raises:
            ConfigError: A regular expression is wrong.
        """
        patterns = layer_patterns(self.exclude, "exclude")
        if self.conversion.precision != "int8":
            text = f"4-bit weights go with int8 activations, not with {self.precision}"
            return model.noting(Note("pass-left-out", text))
        able = {*self.operators} & {*FOUR_BIT}
        if not able:
            text = "no 4-bit weights: the device's runtime has no kernels for them"
            return model.noting(Note("pass-left-out", text))
        try:
            with context.progress.step("running the model on the calibration samples"):
                histograms = model.fact(CalibrationMethod).method != "minmax"
                plain = plain_file(model, histograms, context)
            excluded = {la.name for la in plain.layers if any(la.matches(p) for p in patterns)}
            excluded |= {*model.fact(LayerTypes).by_layer}
            weights = {n: count for n, count in _able(plain, able).items() if n not in excluded}
            with context.progress.step("int4: comparing ways to round"):
                rounded = self._with_rounding(plain, weights, able, model, context)
            with context.progress.step("int4: measuring each layer", 2 * len(weights)) as advance:
                before, found, chosen = _chosen(plain, weights, self, rounded, context, advance)
        except ConversionError as error:
            return model.noting(Note("pass-left-out", f"int4 left out: {error.message}"))
        if not chosen:
            text = f"no layer's weights fit into 4 bits: {before} with 8 on the calibration samples"
            return model.noting(Note("pass-left-out", text))
        types = LayerTypes(_with_four_bits(rounded, chosen))
        notes = _kernel_notes(plain, able)
        notes += [] if self.target_size == 1 else [_size_note(plain, types, self, rounded)]
        text = (
            f"4-bit weights chosen for {len(chosen)} of {len(weights)} layers: on the calibration samples "
            f"{before} before, {found} after"
        )
        return rounded.with_fact(types).noting(Note("layer-types-chosen", text), *notes)

    def _with_rounding(
        self, plain: Plain, weights: Mapping[str, int], able: set[str], model: FloatModel, context: Context
    ) -> FloatModel:
        """Return the model with the rounding of 4-bit weights."""
        from tflite_compress.passes.algorithms.rounding_choice import choose_rounding

        if self.rounding != "auto":
            return model.with_fact(FourBitRounding(self.rounding))
        if not weights or context.budget.is_used:
            return model
        kinds = {k for la in plain.layers if la.name in weights for k in la.kinds if k in able}
        return choose_rounding(plain, weights, kinds, self, model, context)


def noise_of_layers(
    plain: Plain, config: Int4, model: FloatModel, context: Context
) -> dict[str, tuple[float, int]]:
    """Return the output noise that 4-bit weights in a single layer cause.

    Args:
        plain: The float32 file of the model with statistics of its tensors.
        config: Settings with the operators that support 4-bit weights.
        model: The model of the file.
        context: Calibration samples.

    Returns:
        By layer name: noise power divided by output power, per weight; and the number of weights.

    Raises:
        ConversionError: litert-quantizer cannot quantize the model.
    """
    weights = _able(plain, {*config.operators})
    return {
        name: (_noise(measure(plain, _with_four_bits(model, [name]), config, model, context)) / count, count)
        for name, count in weights.items()
    }


def _able(plain: Plain, operators: set[str]) -> dict[str, int]:
    """Return the number of weights of each layer that supports 4 bits and has at least MIN_WEIGHTS."""
    return {
        layer.name: layer.weights
        for layer in plain.layers
        if layer.weights >= MIN_WEIGHTS and {*layer.kinds} & operators
    }


def _kernel_notes(plain: Plain, operators: set[str]) -> list[Note]:
    """Return a note on the layers that keep 8 bits because no kernel reads 4; none if there are none."""
    from tflite_compress.tflite.layer_names import WEIGHTED

    large = [layer for layer in plain.layers if layer.weights >= MIN_WEIGHTS]
    found = {la.name: kind for la in large for kind in la.kinds if kind in {*WEIGHTED} - operators}
    if not found:
        return []
    kinds = ", ".join(sorted({*found.values()}))
    text = f"8-bit weights in {named([*found])}: the runtime has no kernel for 4-bit weights of {kinds}"
    return [Note("no-four-bit-kernel", text)]


def _noise(quality: Quality) -> float:
    return float(10 ** (-quality.snr_db / 10))


def _with_four_bits(model: FloatModel, names: list[str]) -> dict[str, LayerType]:
    four: LayerType = "int4"
    return {**model.fact(LayerTypes).by_layer, **dict.fromkeys(names, four)}


def _chosen(
    plain: Plain,
    weights: dict[str, int],
    config: Int4,
    model: FloatModel,
    context: Context,
    advance: Advance,
) -> tuple[Quality, Quality, list[str]]:
    """Return the quality before and after, and the layers with 4-bit weights, least sensitive first."""

    def tried(names: list[str]) -> Quality:
        return measure(plain, _with_four_bits(model, names), config, model, context)

    before = found = tried([])
    if config.max_calibration_drop == 1:
        return before, tried([*weights]), [*weights]
    noise: dict[str, float] = {}
    for name in weights:
        if context.budget.is_used:
            context.budget.cut(f"int4 stopped after it measured {len(noise)} of {len(weights)} layers")
            break
        noise[name] = _noise(tried([name]))
        advance(1)
    if config.target_size < 1:
        chosen = _within_size(plain, noise, config, model)
        return before, tried(chosen), chosen
    chosen = []
    for index, name in enumerate(sorted(noise, key=lambda n: noise[n] / weights[n])):
        if context.budget.is_used:
            context.budget.cut(f"int4 stopped after it tried {index} of {len(noise)} layers")
            break
        quality = tried([*chosen, name])
        advance(1)
        if quality.score >= before.score - config.max_calibration_drop:
            chosen, found = [*chosen, name], quality
    return before, found, chosen


def _bytes(plain: Plain, names: list[str], config: Int4, model: FloatModel) -> int:
    """Return the size of the file with 4-bit weights in these layers, without what no runtime reads."""
    from tflite_compress.models.layer_table import layer_table
    from tflite_compress.tflite.slim_file import list_slimming_steps, slim_file

    content = quantized_file(plain, _with_four_bits(model, names), config, model).content
    return len(slim_file(content, list_slimming_steps("safe", layer_table(model.network))))


def _within_size(plain: Plain, noise: dict[str, float], config: Int4, model: FloatModel) -> list[str]:
    """Return the layers whose 4-bit weights reach the target size with the least noise; all if none do."""
    from tflite_compress.passes.algorithms.bit_widths import choose_layers

    full = _bytes(plain, [], config, model)
    saved = {name: full - _bytes(plain, [name], config, model) for name in noise}
    wanted = math.ceil(full * (1 - config.target_size))
    needed = wanted
    while True:
        chosen = choose_layers(noise, saved, needed)
        if chosen is None:
            return [*noise]
        missing = wanted - (full - _bytes(plain, chosen, config, model))
        if missing <= 0:
            return chosen
        needed += missing  # savings of several layers differ from their sum by padding


def _size_note(plain: Plain, types: LayerTypes, config: Int4, model: FloatModel) -> Note:
    """Return a note on the size that was reached; a warning if the target was not."""
    chosen = [name for name, kind in types.by_layer.items() if kind == "int4"]
    full, found = (_bytes(plain, names, config, model) for names in ([], chosen))
    reached = found / full
    if reached > config.target_size:
        text = (
            f"target size {config.target_size:g} not reached: {reached:.2f}x the bytes of 8-bit weights, "
            f"with 4-bit weights in all {len(chosen)} layers that support them"
        )
        return Note("target-size-missed", text, "warning")
    text = f"{found:,} bytes, {reached:.2f}x those of 8-bit weights; target {config.target_size:g}"
    return Note("target-size-reached", text)

"""Four-bit weights for the layers that can stand them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from msgspec import Meta

from tflite_compress.errors import ConversionError
from tflite_compress.passes.base import Context, Model, layer_patterns
from tflite_compress.passes.mixed import measure
from tflite_compress.passes.repair import Quality, Repair
from tflite_compress.quantization import LayerType

LEAST_WEIGHTS = 256  # fewer save less than a scale's worth


class Int4(Repair, frozen=True, tag="int4"):
    """Store weights in 4 bits, the layers that lose least by it first, while accuracy stays.

    The accuracy is that on the calibration samples, before rounding is learned (pass ``adaround``).

    Attributes:
        most_loss: Accuracy that may be lost on the calibration samples.
        exclude: Regular expressions; layers whose name matches one keep 8 bits.
        operators: What runs with 4-bit weights, as in ``schema.fbs``; the device's.
    """

    most_loss: Annotated[float, Meta(ge=0, le=1)] = 0.01
    exclude: tuple[str, ...] = ()
    operators: tuple[str, ...] = ("CONV_2D", "FULLY_CONNECTED")


def apply(config: Int4, model: Model, context: Context) -> Model:
    """Settle which layers get 4-bit weights.

    Args:
        config: The pass's settings.
        model: A model with a network.
        context: Gives the calibration samples.

    Raises:
        ConfigError: A regular expression is wrong.
    """
    from tflite_compress.passes.convert import unrolled
    from tflite_compress.quantization.per_layer import FOUR_BIT, prepare

    patterns = layer_patterns(config.exclude, "exclude")
    if config.conversion.numeric != "int8":
        return model.noting(f"4-bit weights go with int8 activations, not with {config.numeric}")
    able = {*config.operators} & {*FOUR_BIT}
    if not able:
        return model.noting("no 4-bit weights: the device's runtime has no kernels for them")
    samples = context.reference.splits.calibrate.inputs
    four: LayerType = "int4"
    try:
        with context.progress.step("int4: measuring each layer"):
            plain = prepare(unrolled(model.network), samples, model.ranges != "minmax")

            def tried(names: list[str]) -> Quality:
                types = {**model.types, **dict.fromkeys(names, four)}
                return measure(plain, types, config, model, context)

            before = tried([])
            weights = {
                layer.name: layer.weights
                for layer in plain.layers
                if layer.weights >= LEAST_WEIGHTS
                and {*layer.kinds} & able
                and layer.name not in model.types
                and not any(p.search(layer.name) for p in patterns)
            }
            noise = {name: 10 ** (-tried([name]).snr_db / 10) / count for name, count in weights.items()}
            chosen: list[str] = []
            found = before
            for name in sorted(noise, key=lambda n: noise[n]):
                quality = tried([*chosen, name])
                if quality.score >= before.score - config.most_loss:
                    chosen, found = [*chosen, name], quality
    except ConversionError as error:
        return model.noting(f"int4 left out: {error.message}")
    if not chosen:
        return model.noting(f"no layer's weights fit into 4 bits: {before} with 8 on the calibration samples")
    share = sum(weights[name] for name in chosen) / max(1, sum(layer.weights for layer in plain.layers))
    types = {**model.types, **dict.fromkeys(chosen, four)}
    return replace(model, types=types).noting(
        f"4 bits for {share:.0%} of the weights ({', '.join(chosen)}), on the calibration samples {before} "
        f"before, {found} after"
    )

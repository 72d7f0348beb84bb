"""Conversion to ``.tflite``; see ``conversion.converter`` and ``conversion.per_layer``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec

from tflite_compress.conversion import Method
from tflite_compress.passes.base import Context, ConversionPass, Stage, register
from tflite_compress.passes.values import (
    CalibrationMethod,
    Clusters,
    ConvertedModel,
    FloatModel,
    FourBitRounding,
    LayerTypes,
    Quantizer,
)
from tflite_compress.profiles.devices import Precision
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.conversion.converter import ConverterSettings
    from tflite_compress.conversion.per_layer import Plain
    from tflite_compress.models.network import Network
    from tflite_compress.profiles.devices import Device
    from tflite_compress.tflite.levels import SharedKernel


@register
class Convert(ConversionPass, frozen=True, tag="convert"):
    """Convert to ``.tflite``.

    Attributes:
        precision: ``float32``; ``float16`` weights; ``dynamic`` (int8 weights, float activations);
            ``int8`` throughout; ``int16x8`` (int16 activations, int8 weights).
        io: Type of inputs and outputs of an integer model: ``integer``, ``float32``, or ``auto``, what
            the device profile prefers.
        per_channel: One scale for each output channel of a weight rather than one for all.
        float_fallback: Let operators without an integer kernel stay in float32.
        has_free_batch: Leave the batch dimension free; otherwise it is 1.
        calibration_method: How activation ranges are chosen from the calibration samples: ``minmax``,
            ``percentile``, ``mse`` or ``entropy`` (see ``conversion.activation_ranges``).
        layers: Types of single layers, each as ``REGEX=TYPE`` with ``int4`` (weights), ``int8``, ``int16x8``
            or ``float32``; integer recipes only.
        sparse: Store pruned float weights sparsely (the converter's EXPERIMENTAL_SPARSITY), if the file gets
            smaller, runs, and gives the same outputs.
    """

    stage: ClassVar = Stage.CONVERT

    precision: Precision = "int8"
    io: Literal["auto", "float32", "integer"] = "auto"
    per_channel: bool = True
    float_fallback: bool = True
    has_free_batch: bool = False
    calibration_method: Method = "minmax"
    layers: tuple[str, ...] = ()
    sparse: bool = False

    @property
    def needs_calibration(self) -> bool:
        """True if activation ranges must be measured on calibration samples."""
        return self.precision in ("int8", "int16x8")

    @property
    def converter_settings(self) -> ConverterSettings:
        """The settings of the TFLite converter."""
        from tflite_compress.conversion.converter import ConverterSettings

        return ConverterSettings(
            self.precision,
            self.io == "integer",
            self.per_channel,
            self.float_fallback,
            self.has_free_batch,
        )

    def summary(self) -> str:
        """Return the precision, and the layers that differ from it."""
        but = f" but {', '.join(self.layers)}" if self.layers else ""
        return f"{self.precision}{', sparse' if self.sparse else ''}{but}"

    def resolve(self, conversion: ConversionPass, device: Device) -> Convert:
        """Fill in the type of inputs and outputs, whether operators may stay in float, and dense storage."""
        io = self.io
        if io == "auto":
            io = device.precisions.io if self.needs_calibration else "float32"
        fallback = self.float_fallback and "float32" in device.precisions.supported
        sparse = self.sparse and not device.computes_on_gpu
        return msgspec.structs.replace(self, io=io, float_fallback=fallback, sparse=sparse)

    def unsupported(self, device: Device) -> Note | None:
        """Return why zeros are stored densely for a GPU."""
        if not (self.sparse and device.computes_on_gpu):
            return None
        text = "zeros are stored densely: GPUs compute wrong values from sparsely stored weights"
        return Note("stored-densely", text)

    def require(self, model: FloatModel) -> None:
        """Check that an integer conversion has no loop to calibrate."""
        from tflite_compress.models.loops import require_no_loops
        from tflite_compress.models.unroll import unrolled

        if self.needs_calibration:
            require_no_loops(unrolled(model.network), self.precision)

    def baseline(self) -> Convert:
        """Return the settings of the float32 file that results are compared with."""
        return Convert(precision="float32", io="float32")

    def apply(self, model: FloatModel, context: Context) -> ConvertedModel:
        """Convert the model's network.

        Args:
            model: A model with a network.
            context: Calibration samples.

        Raises:
            ConversionError: The converter refuses the model.
        """
        from tflite_compress.passes.algorithms.sparse_storage import stored_sparsely
        from tflite_compress.tflite.levels import share_levels

        samples = context.reference.splits.calibrate.inputs
        with context.progress.step(f"converting to {self.precision}", len(samples[0])) as advance:
            content, notes = flatbuffer(self, model, context, advance)
        network = model.network
        clusters = model.fact(Clusters)
        if clusters.by_layer and self.needs_calibration and self.per_channel:
            content = share_levels(content, _clustered_kernels(network, clusters))
        dense = model.converted(content).noting(*notes)
        if not self.sparse:
            return dense
        return stored_sparsely(self.converter_settings, dense, network, context)


def flatbuffer(
    config: Convert,
    model: FloatModel,
    context: Context,
    advance: Callable[[int], None] = lambda n: None,
) -> tuple[bytes, tuple[Note, ...]]:
    """Convert the network of a model with the types and calibration method that earlier passes recorded.

    A network is converted once with the same settings.

    Args:
        config: Settings of the conversion.
        model: A model with a network.
        context: Calibration samples.
        advance: Called once for each calibration sample.

    Returns:
        The flatbuffer, and notes on what did not go as asked.

    Raises:
        ConversionError: The converter refuses the model.
    """
    facts = (
        tuple(model.fact(LayerTypes).by_layer.items()),
        model.fact(CalibrationMethod).method,
        model.fact(Quantizer).name,
        model.fact(FourBitRounding).rounding,
    )
    return context.shared.once(
        "file", model.network, (config, facts), lambda: _convert(config, model, context, advance)
    )


def _convert(
    config: Convert, model: FloatModel, context: Context, advance: Callable[[int], None]
) -> tuple[bytes, tuple[Note, ...]]:
    from tflite_compress.conversion.converter import convert_network

    if config.needs_calibration and _is_finer(config, model):
        return _by_layer(config, model, context, advance)
    network = _unrolled(model, context) if config.needs_calibration else model.network
    samples = context.reference.splits.calibrate.inputs
    if config.precision == "int8" and network.with_rounding is not None:
        network = replace(network, handle=network.with_rounding)
    return convert_network(network, config.converter_settings, samples, advance)


def _is_finer(config: Convert, model: FloatModel) -> bool:
    """Return True if the settings need litert-quantizer instead of the TFLite converter."""
    return bool(
        config.layers
        or model.fact(LayerTypes).by_layer
        or model.fact(Quantizer).name == "litert-quantizer"
        or calibration_method_of(config, model) != "minmax"
    )


def calibration_method_of(config: Convert, model: FloatModel) -> Method:
    """Return the calibration method: the recipe's, else what an earlier pass found best."""
    return (
        config.calibration_method
        if config.calibration_method != "minmax"
        else model.fact(CalibrationMethod).method
    )


def _unrolled(model: FloatModel, context: Context) -> Network:
    """Return the network as it is quantized."""
    from tflite_compress.models.unroll import unrolled

    return context.shared.once("unrolled", model.network, None, lambda: unrolled(model.network))


def float_file(model: FloatModel, context: Context) -> tuple[Network, bytes]:
    """Return the network as it is quantized, and the same as plain float32 file with the converter's names.

    Raises:
        ConversionError: The converter refuses the network.
    """
    network = _unrolled(model, context)
    return network, flatbuffer(Convert().baseline(), FloatModel(network), context)[0]


def plain_file(
    model: FloatModel, histograms: bool, context: Context, advance: Callable[[int], None] = lambda n: None
) -> Plain:
    """Return the network as float32 file with statistics of its tensors; made once for each network.

    Args:
        model: A model with a network.
        histograms: Also compute histograms.
        context: Calibration samples.
        advance: Called with 1 for each sample.

    Raises:
        ConversionError: The converter refuses the network.
    """
    from tflite_compress.conversion.per_layer import prepare

    samples = context.reference.splits.calibrate.inputs

    def prepared() -> Plain:
        network, content = float_file(model, context)
        return prepare(network, samples, histograms, advance, content)

    known = context.shared.holds("plain", model.network, True)  # statistics with histograms serve both
    return context.shared.once("plain", model.network, histograms or known, prepared)


def _by_layer(
    config: Convert, model: FloatModel, context: Context, advance: Callable[[int], None]
) -> tuple[bytes, tuple[Note, ...]]:
    """Quantize with a type per layer or another calibration method."""
    from tflite_compress.conversion.layer_rules import layer_types
    from tflite_compress.conversion.per_layer import quantized
    from tflite_compress.conversion.written_types import type_notes, written_layers
    from tflite_compress.models.layer_table import layer_table

    method, network = calibration_method_of(config, model), _unrolled(model, context)
    plain = plain_file(model, method != "minmax", context, advance)
    types = {**model.fact(LayerTypes).by_layer, **layer_types(config.layers, plain.layers)}
    integer_io = config.io == "integer" and all(port.dtype == "float32" for port in network.inputs)
    rounding = model.fact(FourBitRounding).rounding
    made = quantized(plain, config.precision, types, method, integer_io, config.per_channel, rounding)
    if not config.float_fallback:
        made.require_integers()
    written = written_layers(made.content, layer_table(network))
    return made.content, (*made.notes, *type_notes(written, types))


def _clustered_kernels(network: Network, clusters: Clusters) -> list[SharedKernel]:
    """Return the kernels whose weights are few integers times the scale of their channel."""
    import numpy as np

    from tflite_compress.tflite.levels import LEVELS, SharedKernel

    found = []
    for layer in network.handle.layers:
        name = layer.name.removeprefix("quant_")
        kernels = [w.numpy() for w in layer.trainable_weights if len(w.shape) > 1]
        for kernel in kernels if name in clusters.by_layer else []:
            scales = clusters.scales.get(name)
            if scales is None:
                scales = np.asarray(max(float(np.abs(kernel).max()), 1e-30) / LEVELS)
                levels = np.unique(kernel)
            elif scales.size in (1, kernel.shape[-1]):
                levels = np.unique(np.rint(kernel / scales))
            else:
                continue  # another pass has changed the layer's channels
            if len(levels) <= clusters.by_layer[name]:
                found.append(SharedKernel(kernel, scales))
    return found

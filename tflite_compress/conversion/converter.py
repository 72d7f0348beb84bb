"""Conversion to ``.tflite`` with post-training quantization by the TFLite converter.

Per-channel int8 follows Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (arXiv:1712.05877) and the TFLite 8-bit quantization specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tflite_compress.conversion.calibration_state import fresh_calibration
from tflite_compress.conversion.cell_ranges import with_cell_ranges
from tflite_compress.profiles.devices import Precision
from tflite_compress.support import backend
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note
from tflite_compress.tflite.byte_inputs import without_casts_of_bytes
from tflite_compress.tflite.float_comparisons import with_equal_types
from tflite_compress.tflite.int16_squares import without_int16_squares
from tflite_compress.tflite.integer_splits import split_in_integers
from tflite_compress.tflite.scale_limits import with_safe_scales
from tflite_compress.tflite.zero_scales import with_scales_of_zeros

if TYPE_CHECKING:
    import numpy as np

    from tflite_compress.models.graph_def import ConcreteFunction, NodeDef
    from tflite_compress.models.network import Network


@dataclass(frozen=True)
class ConverterSettings:
    """Settings of the TFLite converter.

    Attributes:
        precision: ``float32``, ``float16`` (float16 weights), ``dynamic`` (int8 weights, float32
            activations), ``int8`` (int8 weights and activations) or ``int16x8`` (int16 activations, int8
            weights).
        integer_io: True for integer inputs and outputs of an integer model, False for float32.
        per_channel: True for per-channel scales of weights, False for per-tensor scales.
        float_fallback: Allow operators without an integer kernel to stay in float32.
        has_free_batch: True for a free batch dimension, False for batch size 1.
    """

    precision: Precision
    integer_io: bool = False
    per_channel: bool = True
    float_fallback: bool = True
    has_free_batch: bool = False

    @property
    def needs_calibration(self) -> bool:
        """True if activation ranges must be measured on calibration samples."""
        return self.precision in ("int8", "int16x8")


def convert_network(
    network: Network,
    settings: ConverterSettings,
    samples: tuple[np.ndarray, ...],
    advance: Callable[[int], None],
    sparse: bool = False,
) -> tuple[bytes, tuple[Note, ...]]:
    """Convert a network to ``.tflite``.

    The first conversion does not use the float fallback. If it fails and the settings allow the fallback, a
    second conversion uses it.

    Args:
        network: The network to convert.
        settings: Settings of the converter.
        samples: Calibration inputs, one array per input, shape (samples, ...).
        advance: Called with 1 for each calibration sample.
        sparse: Store weights that are mostly zero in the sparse format.

    Returns:
        The flatbuffer, and a note if operators stay in float32.

    Raises:
        ConversionError: The converter cannot convert the model.
    """
    from tflite_compress.models.trace import traced

    with backend.native_noise_captured(), fresh_calibration():
        concrete, owner = traced(network, None if settings.has_free_batch else 1)
        if settings.needs_calibration:
            _refuse_loops(network, concrete, owner, settings.precision)
        converter = _converter(concrete, owner, settings, network, samples, advance, sparse)
        try:
            content = converter.convert()
        except Exception as error:
            if not (settings.needs_calibration and settings.float_fallback):
                raise _refusal(error, network, concrete, settings.precision) from error
        else:
            return _finished(content, settings, network, samples), ()
        relaxed = _converter(concrete, owner, settings, network, samples, advance, sparse)
        relaxed.target_spec.supported_ops = [
            *relaxed.target_spec.supported_ops,
            backend.tensorflow().lite.OpsSet.TFLITE_BUILTINS,
        ]
        try:
            content = relaxed.convert()
        except Exception as error:
            raise _refusal(error, network, concrete, settings.precision) from error
    text = f"some operators have no {settings.precision} kernel and stay in float32"
    return _finished(content, settings, network, samples), (Note("operators-stay-float32", text, "warning"),)


def _finished(
    content: bytes, settings: ConverterSettings, network: Network, samples: tuple[np.ndarray, ...]
) -> bytes:
    """Return a quantized file that splits in integers, with operators and scales that LiteRT takes."""
    if not settings.needs_calibration:
        return content
    for change in (
        split_in_integers,
        without_casts_of_bytes,
        with_scales_of_zeros,
        without_int16_squares,
        with_equal_types,
        with_safe_scales,
    ):
        content = change(content)
    return with_cell_ranges(content, samples, network.tensor_names[0])


def _converter(
    concrete: ConcreteFunction,
    owner: object,
    settings: ConverterSettings,
    network: Network,
    samples: tuple[np.ndarray, ...],
    advance: Callable[[int], None],
    sparse: bool,
) -> Any:
    """Return a ``tf.lite.TFLiteConverter`` with these settings."""
    lite = backend.tensorflow().lite
    converter = lite.TFLiteConverter.from_concrete_functions([concrete], owner)
    zeros = [lite.Optimize.EXPERIMENTAL_SPARSITY] if sparse else []
    if settings.precision == "float32":
        converter.optimizations = zeros
        return converter
    converter.optimizations = [lite.Optimize.DEFAULT, *zeros]
    if settings.precision == "float16":
        converter.target_spec.supported_types = [backend.tensorflow().float16]
    if settings.needs_calibration:
        int16 = settings.precision == "int16x8"
        converter.target_spec.supported_ops = [
            lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            if int16
            else lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        converter.representative_dataset = lambda: _representative(network, samples, advance)
        if settings.integer_io and all(port.dtype == "float32" for port in network.inputs):
            io_type = backend.tensorflow().int16 if int16 else backend.tensorflow().int8
            converter.inference_input_type = io_type
            converter.inference_output_type = io_type
    if not settings.per_channel:
        converter._experimental_disable_per_channel = True
    return converter


def _representative(
    network: Network, samples: tuple[np.ndarray, ...], advance: Callable[[int], None]
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the calibration samples as dictionaries by input name, batch size 1."""
    for index in range(len(samples[0])):
        advance(1)
        yield {port.name: x[index : index + 1] for port, x in zip(network.inputs, samples, strict=True)}


def _refuse_loops(network: Network, concrete: ConcreteFunction, owner: object, precision: Precision) -> None:
    """Reject models with a loop, because the converter crashes when it calibrates one.

    Raises:
        StructureError: The converted float model contains a WHILE operator.
    """
    from tflite_compress.models.loops import loop_error
    from tflite_compress.tflite.flatbuffer import operator_names

    if not any(node.op in ("While", "StatelessWhile") for node in _nodes(concrete)):
        return
    try:
        content = (
            backend.tensorflow().lite.TFLiteConverter.from_concrete_functions([concrete], owner).convert()
        )
    except Exception as error:
        raise _refusal(error, network, concrete, precision) from error
    if "WHILE" in operator_names(content):
        raise loop_error(network, precision)


def _refusal(
    error: Exception, network: Network, concrete: ConcreteFunction, precision: Precision
) -> ConversionError:
    from tflite_compress.conversion.converter_refusals import explain_conversion_error

    return explain_conversion_error(error, network, _nodes(concrete), precision)


def _nodes(concrete: ConcreteFunction) -> Iterator[NodeDef]:
    """Return the nodes of a traced network and of the functions it calls."""
    from tflite_compress.models.graph_def import all_nodes

    return all_nodes(concrete.graph.as_graph_def())

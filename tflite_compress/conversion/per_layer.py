"""Post-training quantization with a precision per layer, by litert-quantizer.

The TFLite converter can only keep operators in float32. litert-quantizer also supports int16 activations and
4-bit weights and accepts activation ranges. It takes about 10 ms, the converter takes seconds. Operators that
litert-quantizer does not support, such as LSTM, stay in float32.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite_compress.conversion import FOUR_BIT, LayerType, Method, WeightRounding
from tflite_compress.conversion.activation_ranges import chosen_range
from tflite_compress.conversion.observe import Observed, observe
from tflite_compress.conversion.weight_rounding import (
    algorithm_of,
    four_bit_config,
    input_products,
    max_depth,
)
from tflite_compress.conversion.written_types import operators_in_float
from tflite_compress.runtimes.all_tensors import LoadedModel
from tflite_compress.support import backend
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note
from tflite_compress.tflite.int16_squares import without_int16_squares
from tflite_compress.tflite.layer_names import LayerTable
from tflite_compress.tflite.scale_limits import with_safe_scales

if TYPE_CHECKING:
    from tflite_compress.models.network import Network

BITS: dict[str, tuple[int, int]] = {"int8": (8, 8), "int16x8": (16, 8)}


@dataclass(frozen=True)
class PlainLayer:
    """A layer of the float file.

    Attributes:
        name: Name of the layer in the Keras model.
        members: Names of all layers fused into its operators, with its own: BatchNorm, activation.
        kinds: Operators of the layer, as in ``schema.fbs``.
        tensors: Names of the output tensors of the operators.
        weights: Number of weights.
        reads: Names of the layers whose outputs the layer reads.
    """

    name: str
    members: tuple[str, ...]
    kinds: tuple[str, ...]
    tensors: tuple[str, ...]
    weights: int
    reads: tuple[str, ...] = ()

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Return True if a regular expression matches the name of the layer or of one fused into it."""
        return any(pattern.search(name) for name in self.members)


@dataclass(frozen=True, eq=False)
class Plain:
    """A network as float32 file, with statistics of its tensors on calibration samples.

    Attributes:
        content: The float32 ``.tflite``.
        observed: Statistics by tensor name.
        layers: The layers in order of execution.
        samples: Calibration inputs, one array per input, shape (samples, ...).
        names: Signature names of the inputs.
    """

    content: bytes
    observed: dict[str, Observed]
    layers: tuple[PlainLayer, ...]
    samples: tuple[np.ndarray, ...] = ()
    names: tuple[str, ...] = ()

    @functools.cached_property
    def quantizer(self) -> Any:
        """The ``litert_quantizer.quantizer.Quantizer`` of the file: it decodes the file once."""
        from litert_quantizer.quantizer import Quantizer

        return Quantizer(bytearray(self.content))

    @functools.cached_property
    def max_depth(self) -> int:
        """The largest number of inputs of a dense layer; 0 without one."""
        return max_depth(self.content)

    @functools.cached_property
    def input_products(self) -> dict[str, np.ndarray]:
        """What GPTQ knows about the inputs of dense layers; see ``weight_rounding.input_products``."""
        return input_products(self.content, self.samples, self.names)

    @functools.cached_property
    def _ranges(self) -> dict[tuple[Method, int], dict[str, tuple[float, float]]]:
        return {}

    def ranges(self, method: Method, steps: int) -> dict[str, tuple[float, float]]:
        """Return the range of each tensor by name, chosen once for each method.

        Args:
            method: The calibration method.
            steps: Number of values of the integer type.
        """
        key = (method, steps)
        if key not in self._ranges:
            found = {name: chosen_range(seen, method, steps) for name, seen in self.observed.items()}
            self._ranges[key] = found
        return self._ranges[key]


@dataclass(frozen=True)
class QuantizedFile:
    """A quantized ``.tflite``.

    Attributes:
        content: The flatbuffer.
        float_operators: Operators that stay in float32 although integers were requested, as in
            ``schema.fbs``.
    """

    content: bytes
    float_operators: tuple[str, ...]

    @property
    def notes(self) -> tuple[Note, ...]:
        """A note that names the operators that stay in float32; empty if there are none."""
        if not self.float_operators:
            return ()
        return (Note("operators-stay-float32", self._text, "warning"),)

    def require_integers(self) -> None:
        """Check that no operator stays in float32 although integers were requested.

        Raises:
            ConversionError: Some operators stay in float32.
        """
        if self.float_operators:
            raise ConversionError(
                self._text, "Leave out settings 'calibration_method' and 'layers', or choose another recipe."
            )

    @property
    def _text(self) -> str:
        kinds = ", ".join(self.float_operators)
        return f"operators without an integer form in litert-quantizer stay in float32: {kinds}"


def prepare(
    network: Network,
    samples: tuple[np.ndarray, ...],
    histograms: bool,
    advance: Callable[[int], None] = lambda n: None,
    content: bytes | None = None,
) -> Plain:
    """Return a network as float32 file with statistics of its tensors.

    Args:
        network: The network.
        samples: Calibration inputs, one array per input, shape (samples, ...).
        histograms: Also compute histograms, which all calibration methods except ``minmax`` need.
        advance: Called with 1 for each sample.
        content: The network as float32 ``.tflite`` with the converter's names; converted here if None.

    Raises:
        ConversionError: The converter refuses the network.
    """
    from tflite_compress.conversion.converter import ConverterSettings, convert_network
    from tflite_compress.models.layer_table import layer_table

    if content is None:
        content, _ = convert_network(network, ConverterSettings(precision="float32"), samples, lambda n: None)
    names, _ = network.tensor_names
    layers = plain_layers(content, layer_table(network))
    observed = observe(content, samples, names, histograms, advance)
    return Plain(content, observed, layers, samples, names)


def plain_layers(content: bytes, table: LayerTable) -> tuple[PlainLayer, ...]:
    """Return the layers of a float32 file in order of execution.

    Args:
        content: A ``.tflite`` with the converter's own tensor names.
        table: The layers of the Keras model.
    """
    model = LoadedModel(content, table)
    made_by = {op.output: op.layer for op in model.operators}
    found: dict[str, PlainLayer] = {}
    for op in model.operators:
        before = found.get(op.layer, PlainLayer(op.layer, (op.layer,), (), (), 0))
        weights = model.weights(op)
        sources = (made_by[i] for i in op.inputs if made_by.get(i, op.layer) != op.layer)
        found[op.layer] = PlainLayer(
            op.layer,
            tuple(dict.fromkeys((*before.members, *op.members))),
            (*before.kinds, op.kind),
            (*before.tensors, op.name),
            before.weights + (0 if weights is None else weights[0].size),
            tuple(dict.fromkeys((*before.reads, *sources))),
        )
    return tuple(found.values())


def quantized(
    plain: Plain,
    default: str,
    types: Mapping[str, LayerType],
    method: Method,
    integer_io: bool,
    per_channel: bool = True,
    rounding: WeightRounding = "nearest",
) -> QuantizedFile:
    """Quantize a float file.

    Args:
        plain: The float32 file with statistics of its tensors.
        default: Type of layers not in ``types``: ``int8`` or ``int16x8``.
        types: Precision by layer name. Only operators that support it get 4-bit weights.
        method: The calibration method.
        integer_io: True for integer inputs and outputs, False for float32.
        per_channel: True for per-channel scales of weights, False for per-tensor scales.
        rounding: How 4-bit weights are rounded.

    Returns:
        The quantized file, and the operators that stay in float32 although integers were requested.

    Raises:
        ConversionError: litert-quantizer cannot quantize the file.
    """
    from litert_quantizer import qtyping

    granularity = qtyping.QuantGranularity["CHANNELWISE" if per_channel else "TENSORWISE"]
    steps = 65536 if default == "int16x8" else 256
    bars = contextlib.redirect_stderr(io.StringIO())  # litert-quantizer draws bars of its own
    with backend.native_noise_captured(), bars, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            work = plain.quantizer
            work.load_quantization_recipe([])
            work.add_static_config(".*", "*", *BITS[default], granularity)
            for layer in plain.layers:
                _add(work, layer, types.get(layer.name, default), default, granularity, rounding)
            if not integer_io:
                for end in ("INPUT", "OUTPUT"):
                    work.update_quantization_recipe(".*", end, None, "no_quantize")
            ranges = _statistics(plain, method, steps, rounding)
            made = bytes(work.quantize(ranges, enable_progress_report=False).quantized_model)
            content = with_safe_scales(without_int16_squares(made))
        except (ValueError, RuntimeError, KeyError, NotImplementedError) as error:
            raise ConversionError(
                f"litert-quantizer refuses the model: {' '.join(str(error).split())[:200]}",
                "Leave out settings 'calibration_method' and 'layers', or choose another recipe.",
            ) from error
    floats = {n for layer in plain.layers if types.get(layer.name) == "float32" for n in layer.tensors}
    return QuantizedFile(content, operators_in_float(content, floats))


def _add(
    work: Any, layer: PlainLayer, kind: str, default: str, granularity: Any, rounding: WeightRounding
) -> None:
    """Add the type of one layer to the configuration if it differs from the default."""
    if kind == default:
        return
    scope = "|".join(f"(^|;){re.escape(name)}($|;)" for name in layer.tensors)
    if kind == "float32":
        work.update_quantization_recipe(scope, "*", None, "no_quantize")
    elif kind == "int4":
        for operator in sorted({*layer.kinds} & {*FOUR_BIT}):
            config, algorithm = four_bit_config(granularity), algorithm_of(rounding, operator)
            work.update_quantization_recipe(scope, operator, config, algorithm)
    else:
        work.add_static_config(scope, "*", *BITS[kind], granularity)


def _statistics(
    plain: Plain, method: Method, steps: int, rounding: WeightRounding
) -> dict[str, dict[str, np.ndarray]]:
    """Return the range of each tensor, and what GPTQ needs, in the format of litert-quantizer."""
    found = {}
    for name, (low, high) in plain.ranges(method, steps).items():
        shape = (1,) * plain.observed[name].rank
        found[name] = {"min": np.full(shape, low, np.float32), "max": np.full(shape, high, np.float32)}
    if rounding in ("gptq", "gptq_octav"):
        for name, product in plain.input_products.items():
            found[name]["hessian"] = product.copy()  # litert-quantizer changes its diagonal
    return found

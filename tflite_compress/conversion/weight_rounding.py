"""How litert-quantizer rounds 4-bit weights.

OCTAV clips the weights of each channel at the threshold with the smallest expected error (Sakr et al.,
"Optimal Clipping and Magnitude-aware Differentiation for Improved Quantization-aware Training",
arXiv:2206.06501). GPTQ rounds the weights of a dense layer one after the other, and later ones make up for
the errors of earlier ones on the calibration samples (Frantar et al., arXiv:2210.17323).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.conversion import WeightRounding
from tflite_compress.runtimes.all_tensors import LoadedModel
from tflite_compress.tflite.flatbuffer import tensor_name
from tflite_compress.tflite.tree import shape_of

if TYPE_CHECKING:
    from tflite_compress.conversion.per_layer import Plain

_NEAREST = "min_max_uniform_quantize"
# Names in litert-quantizer; an operator takes the first algorithm that litert-quantizer has for it.
ALGORITHMS: dict[WeightRounding, tuple[str, ...]] = {
    "nearest": (_NEAREST,),
    "octav": ("OCTAV", _NEAREST),
    "gptq": ("GPTQ", _NEAREST),
    "gptq_octav": ("GPTQ", "OCTAV", _NEAREST),
}
_DENSE = "FULLY_CONNECTED"  # the operator whose input products GPTQ reads
MAX_DEPTH = 2048  # inputs of a dense layer: GPTQ inverts a square matrix of that size


def algorithm_of(rounding: WeightRounding, operator: str) -> str:
    """Return litert-quantizer's algorithm for the weights of an operator.

    Args:
        rounding: How weights are rounded.
        operator: Name in ``schema.fbs``.
    """
    from litert_quantizer.algorithm_manager import is_op_registered
    from litert_quantizer.qtyping import TFLOperationName

    known = (name for name in ALGORITHMS[rounding] if is_op_registered(name, TFLOperationName(operator)))
    return next(known, _NEAREST)


def four_bit_config(granularity: object) -> object:
    """Return litert-quantizer's configuration of an operator with 4-bit weights and int8 activations.

    Args:
        granularity: A ``litert_quantizer.qtyping.QuantGranularity``.
    """
    from litert_quantizer import qtyping

    return qtyping.OpQuantizationConfig(
        activation_tensor_config=qtyping.TensorQuantizationConfig(num_bits=8, symmetric=False),
        weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=4, granularity=granularity),
        compute_precision=qtyping.ComputePrecision.INTEGER,
        skip_checks=True,  # its list lacks depthwise convolutions, for which LiteRT has a kernel
    )


def describe_rounding(rounding: WeightRounding, operators: Iterable[str]) -> str:
    """Return the algorithm of each operator in words.

    Args:
        rounding: How weights are rounded.
        operators: Names in ``schema.fbs``.
    """
    found = {kind: algorithm_of(rounding, kind) for kind in sorted({*operators})}
    return ", ".join(f"{kind} {'to nearest' if a == _NEAREST else f'by {a}'}" for kind, a in found.items())


def possible_roundings(plain: Plain, operators: Iterable[str]) -> tuple[WeightRounding, ...]:
    """Return the ways to round the weights of these operators of a file; no two give the same file.

    Args:
        plain: The float32 file.
        operators: Operators with 4-bit weights, as in ``schema.fbs``.
    """
    found: dict[tuple[str, ...], WeightRounding] = {}
    for rounding in ALGORITHMS:
        algorithms = tuple(algorithm_of(rounding, kind) for kind in sorted({*operators}))
        if "GPTQ" not in algorithms or plain.max_depth <= MAX_DEPTH:
            found.setdefault(algorithms, rounding)
    return tuple(found.values())


def max_depth(content: bytes) -> int:
    """Return the largest number of inputs of a dense layer in a file; 0 without one."""
    return max((depth for _, depth in _dense_inputs(LoadedModel(content)).values()), default=0)


def input_products(
    content: bytes, inputs: tuple[np.ndarray, ...], names: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Return the products that GPTQ reads: twice the mean over samples of the sum of ``x^T x``.

    Args:
        content: The float32 ``.tflite``, batch 1.
        inputs: Samples, one array per input, shape (samples, ...).
        names: Signature names of the inputs, in that order.

    Returns:
        float32, shape (depth, depth), by name of the tensor that a dense layer reads.
    """
    model = LoadedModel(content)
    dense = _dense_inputs(model)
    sums = {index: np.zeros((depth, depth)) for index, (_, depth) in dense.items()}
    count = len(inputs[0])
    for i in range(count):
        model.run(tuple(x[i : i + 1] for x in inputs), names)
        for index, (_, depth) in dense.items():
            rows = model.value(index).reshape(-1, depth).astype(np.float64)
            sums[index] += 2 / count * rows.T @ rows
    return {name: sums[index].astype(np.float32) for index, (name, _) in dense.items()}


def _dense_inputs(model: LoadedModel) -> dict[int, tuple[str, int]]:
    """Return name and depth of each tensor that a dense layer with constant weights reads, by index."""
    tensors = model.graph.tensors
    dense = [op for op in model.operators if op.kind == _DENSE and model.weights(op) is not None]
    return {
        op.inputs[0]: (tensor_name(tensors[op.inputs[0]]), shape_of(tensors[op.inputs[1]])[-1])
        for op in dense
    }

"""How operators pass a factor on: what happens to their outputs if their inputs are scaled.

A tensor may be stored as its value times 2^-e. Operators that only move, add or compare values give outputs
with the exponent of their inputs. Products add exponents, squares double them, square roots halve them.
Weights absorb any factor. All other operators need their inputs as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import schema
from tflite_compress.tflite.tree import Operator

Rule = Literal["same", "linear", "gain", "product", "quotient", "power", "fixed"]

_FIRST_INPUT = frozenset(
    """
    ABS ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_TO_SPACE_ND BROADCAST_TO CUMSUM DEPTH_TO_SPACE EXPAND_DIMS
    GATHER GATHER_ND LEAKY_RELU MAX_POOL_2D MEAN MIRROR_PAD NEG PAD PRELU REDUCE_MAX REDUCE_MIN RELU RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SLICE SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT_V SQUEEZE
    STRIDED_SLICE SUM TILE TRANSPOSE UNPACK
    """.split()
)
_ALL_INPUTS = frozenset(
    """
    ADD ADD_N CONCATENATION EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL MAXIMUM MINIMUM NOT_EQUAL PACK SUB
    """.split()
)
_OTHER_INPUTS = {"SPLIT": (1,), "SELECT": (1, 2), "SELECT_V2": (1, 2), "PADV2": (0, 2)}
# Operators with weights: positions of the data, the weights and the bias.
_LINEAR = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}
_POWERS = {"SQUARE": 2.0, "SQUARED_DIFFERENCE": 2.0, "SQRT": 0.5, "RSQRT": -0.5}
# A value beyond the range becomes infinite, and the result is still right.
SATURATING = frozenset(("LOGISTIC", "TANH", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"))


@dataclass(frozen=True)
class Scaling:
    """How one operator passes a factor on.

    Attributes:
        rule: The kind of rule.
        data: Positions of the inputs with activations that the rule is about.
        constants: Positions of constant inputs that take the factor of the data (``same``), or that absorb
            the factor (``linear``, ``gain``).
        bias: Position of a constant input that is added to the output; None if there is none.
        power: Exponent of a ``power``.
        sums: True if the operator adds up products or values, so that parts of a sum can be larger than it.
        is_clamped: True if its fused activation is not homogeneous, such as RELU6.
    """

    rule: Rule
    data: tuple[int, ...] = ()
    constants: tuple[int, ...] = ()
    bias: int | None = None
    power: float = 1.0
    sums: bool = False
    is_clamped: bool = False


_FIXED = Scaling("fixed")


def scaling_of(editor: GraphEditor, op: Operator) -> Scaling:
    """Return how an operator passes a factor on; ``fixed`` if it needs its inputs as they are."""
    name = editor.kind(op)
    places = [p for p, i in enumerate(op.inputs) if i >= 0]
    data = tuple(
        p for p in places if editor.is_float(int(op.inputs[p])) and not editor.is_constant(int(op.inputs[p]))
    )
    constants = tuple(p for p in places if p not in data and editor.is_float(int(op.inputs[p])))
    clamped = _is_clamped(op)
    if name in _LINEAR and data == (_LINEAR[name][0],):
        return _linear(op, data, *_LINEAR[name][1:], clamped=clamped, editor=editor)
    if name == "FULLY_CONNECTED" and len(data) == 2 and data == (0, 1) and len(places) == 2 and not clamped:
        return Scaling("product", data, sums=True)
    if name == "BATCH_MATMUL":
        if len(data) == 2:
            return Scaling("product", data, sums=True)
        return Scaling("linear", data, constants, sums=True) if len(data) == 1 and constants else _FIXED
    if clamped or not data:
        return _FIXED
    return _elementwise(name, data, constants)


def _linear(
    op: Operator, data: tuple[int, ...], weights: int, bias: int, clamped: bool, editor: GraphEditor
) -> Scaling:
    has_bias = len(op.inputs) > bias and op.inputs[bias] >= 0
    if editor.real_values(int(op.inputs[weights])) is None:
        return _FIXED
    if has_bias and editor.real_values(int(op.inputs[bias])) is None:
        return _FIXED
    place = bias if has_bias else None
    return Scaling("linear", data, (weights,), place, sums=True, is_clamped=clamped)


def _elementwise(name: str, data: tuple[int, ...], constants: tuple[int, ...]) -> Scaling:
    if name == "MUL":
        if len(data) == 2:
            return Scaling("product", data)
        return Scaling("gain", data, constants) if constants else _FIXED
    if name == "DIV":
        return Scaling("quotient", data) if len(data) == 2 else _FIXED
    if name in _POWERS:
        return Scaling("power", data, constants, power=_POWERS[name])
    wanted = (0,) if name in _FIRST_INPUT else data if name in _ALL_INPUTS else _OTHER_INPUTS.get(name)
    if wanted is None:
        return _FIXED
    if name in _FIRST_INPUT:
        return Scaling("same", data, sums=name == "SUM") if data == (0,) else _FIXED
    if name in _ALL_INPUTS:
        return Scaling("same", data, constants)
    return Scaling("same", tuple(p for p in data if p in wanted), tuple(p for p in constants if p in wanted))


def _is_clamped(op: Operator) -> bool:
    """Return True for a fused activation other than none and ReLU."""
    kinds = schema().ActivationFunctionType
    return getattr(op.builtinOptions, "fusedActivationFunction", kinds.NONE) not in (kinds.NONE, kinds.RELU)

"""Store tensors of a ``.tflite`` scaled by powers of two, so that values and sums fit a range.

The function that the file computes stays the same, in real numbers and in floats: a power of two only changes
the exponent of a float. Weights absorb the factors where they can; elsewhere a multiplication is inserted.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.exponents import Exponents, needed_exponent
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.scaling_rules import SATURATING, Scaling
from tflite_compress.tflite.slim_file import merge_buffers
from tflite_compress.tflite.tree import Operator, shape_of


@dataclass(frozen=True)
class Rescaled:
    """A file with scaled tensors.

    Attributes:
        content: The file; the given bytes if nothing needs scaling.
        exponents: The exponent of each tensor of the given file that is scaled, by index.
        multiplications: Number of inserted multiplications.
        unrepaired: Tensors that an operator or the caller needs unscaled although they are beyond the range.
    """

    content: bytes
    exponents: dict[int, int]
    multiplications: int
    unrepaired: tuple[int, ...]


def rescale(
    content: bytes, peaks: Mapping[int, float], sums: Mapping[int, float], limit: float, headroom: float
) -> Rescaled:
    """Scale tensors so that their values and sums are at most ``limit / headroom``.

    Args:
        content: A ``.tflite``.
        peaks: Largest absolute value of each float tensor that is not constant, by index of the main graph.
        sums: Largest sum of absolute terms of each sum of products, by index of its output.
        limit: Largest value of the range.
        headroom: Factor by which values may exceed the peaks.
    """
    tree = unpack(content)
    editor = GraphEditor(tree)
    needs, sum_needs = (
        {i: needed_exponent(peak, limit / headroom) for i, peak in found.items()} for found in (peaks, sums)
    )
    exponents = Exponents(editor, needs, sum_needs)
    scaled = {i: exponents.of(i) for i in peaks if exponents.of(i)}
    clamped = any(
        s.is_clamped and exponents.raw(op, s)
        for op, s in zip(editor.graph.operators, exponents.scalings, strict=True)
    )
    if not scaled and not clamped:
        beyond = tuple(i for i in peaks if max(peaks[i], sums.get(i, 0.0)) > limit)
        return Rescaled(content, {}, 0, beyond)
    writer = _Writer(editor, exponents, peaks, limit)
    writer.rewrite()
    editor.drop_unused()
    merge_buffers(tree)
    return Rescaled(pack(tree), scaled, writer.multiplications, tuple(sorted(writer.beyond)))


class _Writer:
    """Rewrites the operators of a graph with the chosen exponents."""

    def __init__(
        self, editor: GraphEditor, exponents: Exponents, peaks: Mapping[int, float], limit: float
    ) -> None:
        self._editor, self._exponents, self._peaks, self._limit = editor, exponents, peaks, limit
        self._operators: list[Operator] = []
        self._holders: dict[int, int] = {}  # the tensor that holds the scaled values of another one
        self._restored: dict[tuple[int, int], int] = {}
        self._constants: dict[tuple[int, int], int] = {}
        self.multiplications = 0
        self.beyond: set[int] = set()

    def rewrite(self) -> None:
        """Replace the operators of the graph."""
        editor, graph = self._editor, self._editor.graph
        outputs = [int(i) for i in graph.outputs if self._exponent(int(i))]
        for index in outputs:
            self._holders[index] = editor.add_like(index, "scaled")
        for index in (int(i) for i in graph.inputs if self._exponent(int(i))):
            self._holders[index] = editor.add_like(index, "scaled")
            self._multiply(index, self._holders[index], -self._exponent(index))
        for op, scaling in zip(list(graph.operators), self._exponents.scalings, strict=True):
            self._rewrite(op, scaling)
        for index in dict.fromkeys(outputs):
            self._multiply(self._holders[index], index, self._exponent(index))
            self._note_beyond(index)
        graph.operators = self._operators

    def _exponent(self, index: int) -> int:
        return self._exponents.of(index) if index in self._peaks else 0

    def _rewrite(self, op: Operator, scaling: Scaling) -> None:
        made = copy.copy(op)
        made.inputs = [self._input(op, p, int(i), scaling) for p, i in enumerate(op.inputs)]
        raw = self._exponents.raw(op, scaling)
        self._absorb(made, op, scaling, raw)
        corrections: list[tuple[int, int, int, object]] = []
        outputs = []
        for index in (int(i) for i in op.outputs):
            wanted, holder = self._exponent(index), self._holders.get(index, index)
            if index not in self._peaks or (raw == wanted and not (scaling.is_clamped and raw)):
                outputs.append(holder)
                continue
            fresh = self._editor.add_like(index, "sum")
            outputs.append(fresh)
            corrections += self._correct(made, fresh, holder, raw, wanted, scaling)
        made.outputs = outputs
        self._operators.append(made)
        for source, target, exponent, activation in corrections:
            self._multiply(source, target, exponent, activation)

    def _correct(
        self, made: Operator, fresh: int, holder: int, raw: int, wanted: int, scaling: Scaling
    ) -> list[tuple[int, int, int, object]]:
        """Return the multiplications that bring a raw result to the wanted exponent, with its activation."""
        none = schema().ActivationFunctionType.NONE
        if not (scaling.is_clamped and raw):
            return [(fresh, holder, raw - wanted, none)]
        made.builtinOptions = copy.copy(made.builtinOptions)
        activation = getattr(made.builtinOptions, "fusedActivationFunction", none)
        setattr(made.builtinOptions, "fusedActivationFunction", none)  # noqa: B010
        if not wanted:
            return [(fresh, holder, raw, activation)]
        middle = self._editor.add_like(holder, "clamped")
        return [(fresh, middle, raw, activation), (middle, holder, -wanted, none)]

    def _input(self, op: Operator, place: int, index: int, scaling: Scaling) -> int:
        if index < 0 or not self._exponent(index):
            return index
        holder = self._holders.get(index, index)
        if scaling.rule != "fixed" and place in scaling.data:
            extra = (
                self._exponents.read(op, scaling) - self._exponent(index) if scaling.rule == "power" else 0
            )
            return self._changed(index, holder, -extra) if extra else holder
        if self._peaks[index] > self._limit and self._is_plain_softmax(op):
            return self._below_maximum(index, holder)
        if self._editor.kind(op) not in SATURATING:
            self._note_beyond(index)
        return self._changed(index, holder, self._exponent(index))

    def _is_plain_softmax(self, op: Operator) -> bool:
        return self._editor.kind(op) == "SOFTMAX" and getattr(op.builtinOptions, "beta", 1.0) == 1.0

    def _below_maximum(self, index: int, holder: int) -> int:
        """Subtract the row's maximum while values are scaled. A softmax stays the same."""
        editor, shape = self._editor, shape_of(self._editor.tensor(index))
        axis = editor.add_constant("last_axis", np.array([len(shape) - 1], np.int32))
        maximum = editor.add_tensor("maximum", (*shape[:-1], 1), editor.tensor(index).type)
        keep = editor.options("ReducerOptions", keepDims=True)
        self._operators.append(editor.operator("REDUCE_MAX", [holder, axis], [maximum], keep))
        below = editor.add_like(index, "below_maximum")
        self._operators.append(
            editor.operator("SUB", [holder, maximum], [below], editor.options("SubOptions"))
        )
        target = editor.add_like(index, "logits")
        self._multiply(below, target, self._exponent(index))
        return target

    def _note_beyond(self, index: int) -> None:
        if self._peaks[index] > self._limit:
            self.beyond.add(index)

    def _changed(self, index: int, holder: int, exponent: int) -> int:
        key = (index, exponent)
        if key not in self._restored:
            self._restored[key] = self._editor.add_like(index, f"times_2^{exponent}")
            self._multiply(holder, self._restored[key], exponent)
        return self._restored[key]

    def _absorb(self, made: Operator, op: Operator, scaling: Scaling, raw: int) -> None:
        """Scale the constants of an operator."""
        if scaling.rule == "fixed" or not (scaling.constants or scaling.bias is not None):
            return
        reads = self._exponents.read(op, scaling)
        factor = reads - raw if scaling.rule in ("linear", "gain") else -reads
        for place in scaling.constants:
            made.inputs = self._with(made, place, self._constant(int(op.inputs[place]), factor))
        if scaling.bias is not None:
            made.inputs = self._with(made, scaling.bias, self._constant(int(op.inputs[scaling.bias]), -raw))

    def _with(self, op: Operator, place: int, index: int) -> list[int]:
        inputs = [int(i) for i in op.inputs]
        inputs[place] = index
        return inputs

    def _constant(self, index: int, exponent: int) -> int:
        if not exponent:
            return index
        if (index, exponent) not in self._constants:
            made, operators = self._editor.scaled_constant(index, exponent)
            self._operators += operators
            self._constants[index, exponent] = made
        return self._constants[index, exponent]

    def _multiply(self, source: int, target: int, exponent: int, activation: object = 0) -> None:
        factor = self._editor.add_constant(f"2^{exponent}", np.array(2.0**exponent, np.float32))
        options = self._editor.options("MulOptions", fusedActivationFunction=activation)
        self._operators.append(self._editor.operator("MUL", [source, factor], [target], options))
        self.multiplications += 1

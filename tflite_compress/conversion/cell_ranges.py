"""Ranges of the cell states of LSTM layers in int8.

The converter takes the range of a cell state from its value after the last step. Where sequences end in
padding, the state is small by then, and its int16 values overflow in the steps before. The converter also
writes ranges below 1, for which the kernels of LiteRT and TFLite Micro compute no tanh: they have it for
states with 0 to 6 integer bits.
"""

from __future__ import annotations

import math

import numpy as np

from tflite_compress.runtimes.all_tensors import LoadedModel
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_name, pack, read_tree, type_name, unpack
from tflite_compress.tflite.tree import Operator, read_scales, set_scales

_KIND = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_WEIGHTS, _RECURRENT, _BIASES, _CELL = (1, 2, 3, 4), (5, 6, 7, 8), (12, 13, 14, 15), 19
_INT16 = 32768


def with_cell_ranges(content: bytes, inputs: tuple[np.ndarray, ...], names: tuple[str, ...]) -> bytes:
    """Return a file whose LSTM operators have room for the cell states of all steps.

    Args:
        content: A quantized ``.tflite``, batch 1.
        inputs: Calibration samples, one array per input, shape (samples, ...).
        names: Signature names of the inputs, in that order.
    """
    first = read_tree(content)
    kinds = [operator_name(first, op) for op in first.subgraphs[0].operators]
    for place in [p for p, kind in enumerate(kinds) if kind == _KIND]:  # in order, each on the layers before
        tree = unpack(content)
        editor = GraphEditor(tree)
        op = editor.graph.operators[place]
        if not _is_integer_lstm(op, editor):
            continue
        cell = editor.tensor(int(op.inputs[_CELL]))
        needed = _exponent(_largest_state(content, editor, op, inputs, names))
        if needed > round(math.log2(float(read_scales(cell)[0]) * _INT16)):
            set_scales(cell, np.array([2.0**needed / _INT16], np.float32))
            content = pack(tree)
    return content


def _is_integer_lstm(op: Operator, editor: GraphEditor) -> bool:
    """Return True for an LSTM of int8 with all gates, and without peepholes, projection or normalization."""
    if len(op.inputs) <= _CELL:
        return False
    gates = all(int(op.inputs[i]) >= 0 for i in (*_WEIGHTS, *_RECURRENT, *_BIASES, _CELL))
    others = any(int(op.inputs[i]) >= 0 for i in (9, 10, 11, 16, 17)) or any(
        int(i) >= 0 for i in op.inputs[20:]
    )
    cell = editor.tensor(int(op.inputs[_CELL]))
    return gates and not others and type_name(cell.type) == "INT16" and len(read_scales(cell)) == 1


def _exponent(largest: float) -> int:
    """Return the power of two that is the range of a cell state, at least 1."""
    return max(0, math.ceil(math.log2(max(largest, 1e-9))))


def _largest_state(
    content: bytes,
    editor: GraphEditor,
    op: Operator,
    inputs: tuple[np.ndarray, ...],
    names: tuple[str, ...],
) -> float:
    """Return the largest cell state of an operator over all steps of all samples."""
    model = LoadedModel(content)
    weights, recurrent, biases = (
        np.stack([_real(editor, int(op.inputs[i])) for i in group])
        for group in (_WEIGHTS, _RECURRENT, _BIASES)
    )
    options = op.builtinOptions
    clip = float(getattr(options, "cellClip", 0.0)) or math.inf
    found = []
    for index in range(len(inputs[0])):
        model.run(tuple(x[index : index + 1] for x in inputs), names)
        steps = model.value(int(op.inputs[0]))
        found.append(steps if getattr(options, "timeMajor", False) else np.swapaxes(steps, 0, 1))
    return _run_cell(np.concatenate(found, axis=1), weights, recurrent, biases, clip)


def _real(editor: GraphEditor, index: int) -> np.ndarray:
    values = editor.real_values(index)
    if values is None:
        raise ValueError(f"tensor {index} is not a constant")
    return values


def _run_cell(
    steps: np.ndarray, weights: np.ndarray, recurrent: np.ndarray, biases: np.ndarray, clip: float
) -> float:
    """Run an LSTM and return its largest cell state.

    Args:
        steps: Inputs, shape (steps, samples, n).
        weights: Weights of the gates input, forget, cell and output, shape (4, units, n).
        recurrent: Their recurrent weights, shape (4, units, units).
        biases: Their biases, shape (4, units).
        clip: Largest cell state that the operator keeps.
    """
    state = cell = np.zeros((steps.shape[1], weights.shape[1]), np.float32)
    largest = 0.0
    for x in steps:
        sums = np.einsum("gun,bn->gbu", weights, x) + np.einsum("guv,bv->gbu", recurrent, state)
        gates = sums + biases[:, None]
        take, keep, show = (1 / (1 + np.exp(-np.clip(gates[i], -60, 60))) for i in (0, 1, 3))
        cell = np.clip(keep * cell + take * np.tanh(gates[2]), -clip, clip)
        state = show * np.tanh(cell)
        largest = max(largest, float(np.abs(cell).max()))
    return largest

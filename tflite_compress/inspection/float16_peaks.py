"""Largest values and sums of every tensor on samples: what must fit the range of float16."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from tflite_compress.runtimes.all_tensors import LoadedModel
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import pack, read_tree, schema, unpack
from tflite_compress.tflite.layer_names import LayerTable
from tflite_compress.tflite.scaling_rules import Scaling, scaling_of
from tflite_compress.tflite.tree import Operator

FLOAT16_MAX = 65504.0


@dataclass(frozen=True)
class Peaks:
    """Largest absolute values on the samples, by tensor index of the main graph.

    Attributes:
        values: Of each float32 tensor that an operator or the caller fills.
        sums: The sum of the absolute values of all terms, of each tensor that is a sum of products. No
            partial sum is larger, in whatever order the terms are added.
        samples: Number of samples looked at.
    """

    values: dict[int, float]
    sums: dict[int, float]
    samples: int

    def of(self, index: int) -> float:
        """Return the larger of value and sum of a tensor; 0 if it was not looked at."""
        return max(self.values.get(index, 0.0), self.sums.get(index, 0.0))


def measure_peaks(
    content: bytes, inputs: tuple[np.ndarray, ...], names: tuple[str, ...], budget: TimeBudget = NO_BUDGET
) -> Peaks:
    """Run a file in LiteRT and return the largest values and sums of its tensors.

    Args:
        content: A ``.tflite``.
        inputs: Samples, one array for each input, shape (samples, ...).
        names: Signature names of the inputs, in that order.
        budget: Time that is left. When it is used, the samples so far count, one at least.
    """
    tree = unpack(content)
    editor = GraphEditor(tree)
    observed = [int(i) for i in editor.graph.inputs]
    observed += [int(i) for op in editor.graph.operators for i in op.outputs]
    observed = [i for i in observed if editor.is_float(i) and i not in editor.stored]
    sums = _add_absolute_sums(editor)
    model = LoadedModel(pack(tree))
    found = dict.fromkeys([*observed, *sums.values()], 0.0)
    samples = 0
    for index in range(len(inputs[0])):
        if index and budget.is_used:
            break
        model.run(tuple(x[index : index + 1] for x in inputs), names)
        samples += 1
        for tensor in found:
            if model.holds(tensor):
                found[tensor] = max(found[tensor], _largest(model.value(tensor)))
    return Peaks({i: found[i] for i in observed}, {i: found[j] for i, j in sums.items()}, samples)


def layers_beyond(content: bytes, peaks: Peaks, layers: LayerTable) -> list[str]:
    """Return the layers whose values or sums float16 cannot hold, in order of execution.

    Args:
        content: The file.
        peaks: Its largest values and sums.
        layers: The layers of the Keras model it was made from.
    """
    return layers_of(content, [i for i in peaks.values if peaks.of(i) > FLOAT16_MAX], layers)


def layers_of(content: bytes, tensors: Collection[int], layers: LayerTable) -> list[str]:
    """Return the layers that compute tensors of the main graph, in order of execution."""
    tree = read_tree(content)
    graph = tree.subgraphs[0]
    operators = [op for op in graph.operators if len(op.outputs) and int(op.outputs[0]) in tensors]
    return list(dict.fromkeys(layers.layer_of(tree, graph, op) for op in operators))


def _largest(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0


def _add_absolute_sums(editor: GraphEditor) -> dict[int, int]:
    """Add to each operator that sums products a second one that sums their absolute values.

    Returns:
        Index of the tensor with the absolute sums, by that of the operator's output.
    """
    absolute: dict[int, int] = {}
    found: dict[int, int] = {}
    operators: list[Operator] = []
    for op in editor.graph.operators:
        operators.append(op)
        scaling = scaling_of(editor, op)
        if scaling.sums:
            output = int(op.outputs[0])
            twin, made = _absolute_twin(editor, op, scaling, absolute)
            operators += [*made, twin]
            found[output] = int(twin.outputs[0])
    editor.graph.operators = operators
    return found


def _absolute_twin(
    editor: GraphEditor, op: Operator, scaling: Scaling, known: dict[int, int]
) -> tuple[Operator, list[Operator]]:
    twin, made = copy.copy(op), []
    places = list(op.inputs)
    for place in scaling.data:
        index = int(op.inputs[place])
        if index not in known:
            known[index] = editor.add_like(index, "absolute")
            made.append(editor.operator("ABS", [index], [known[index]]))
        places[place] = known[index]
    for place in _with_values(scaling):
        values = editor.real_values(int(op.inputs[place]))
        if values is not None:
            places[place] = editor.add_constant(f"absolute_{len(editor.graph.tensors)}", np.abs(values))
    twin.inputs, twin.outputs = places, [editor.add_like(int(op.outputs[0]), "absolute_sum")]
    if hasattr(op.builtinOptions, "fusedActivationFunction"):
        twin.builtinOptions = copy.copy(op.builtinOptions)
        none = schema().ActivationFunctionType.NONE
        setattr(twin.builtinOptions, "fusedActivationFunction", none)  # noqa: B010
    return twin, made


def _with_values(scaling: Scaling) -> Iterable[int]:
    return scaling.constants if scaling.bias is None else (*scaling.constants, scaling.bias)

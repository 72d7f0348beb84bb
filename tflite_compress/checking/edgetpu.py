"""What ``edgetpu_compiler`` does with each operator of a file.

The compiler is not part of this tool. Its rules come from Coral's documentation
(coral.ai/docs/edgetpu/models-intro): operators and data types, tensors of at most three dimensions, and one
part of the model that runs on the TPU and ends at the first operator that cannot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tflite_compress.profiles.devices import OperatorSet
from tflite_compress.tflite.flatbuffer import operator_name, type_name
from tflite_compress.tflite.layer_names import NO_LAYERS
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, shape_of

Cause = Literal["float input", "data type", "operator", "dimensions", "follows another"]

FOUR_BITS = "4-bit weights"
_EIGHT_BITS = ("INT8", "UINT8")
_INNER_DIMENSIONS = 3


@dataclass(frozen=True)
class Placement:
    """Where the compiler puts one operator.

    Attributes:
        name: Name of the operator.
        layer: The layer it came from; an empty string if the file does not tell.
        cause: Why it runs on the CPU; None if it runs on the TPU.
        detail: The value that is the cause, for example ``float32``; None if there is none.
        condition: What Coral's documentation also asks of it, which is not checked here; None if nothing.
    """

    name: str
    layer: str
    cause: Cause | None
    detail: str | None = None
    condition: str | None = None


@dataclass(frozen=True)
class Plan:
    """What the compiler does with a file.

    Attributes:
        placements: One per operator of the main graph, in order of execution.
        other_graphs: Number of further graphs (branches, loops, initialization).
    """

    placements: tuple[Placement, ...]
    other_graphs: int

    @property
    def mapped(self) -> int:
        """Number of operators that run on the TPU."""
        return sum(p.cause is None for p in self.placements)


def plan_compilation(model: ModelTree, supported: OperatorSet) -> Plan:
    """Return where the compiler puts each operator of the main graph.

    Args:
        model: The decoded file, not compiled yet.
        supported: The Edge TPU's operators.
    """
    graph = model.subgraphs[0]
    constants = {i for i, t in enumerate(graph.tensors) if _is_constant(t, model)}
    placements: list[Placement] = []
    has_ended = False
    for op in graph.operators or []:
        name = operator_name(model, op)
        layer = NO_LAYERS.layer_of(model, graph, op)
        if _converts_input(name, op, graph):
            placements.append(Placement(name, layer, "float input"))
            continue
        cause, detail = _obstacle(name, op, graph, constants, supported)
        if cause is None and has_ended:
            cause = "follows another"
        has_ended = has_ended or cause is not None
        condition = supported.conditions.get(name) if cause is None else None
        placements.append(Placement(name, layer, cause, detail, condition))
    return Plan(tuple(placements), len(model.subgraphs) - 1)


def _converts_input(name: str, op: Operator, graph: Graph) -> bool:
    """Return True for the operator that quantizes a float input: it stays on the CPU, before the TPU."""
    inputs = {int(i) for i in graph.inputs}
    return name == "QUANTIZE" and int(op.inputs[0]) in inputs and _type(graph, op.inputs[0]) == "FLOAT32"


def _obstacle(
    name: str, op: Operator, graph: Graph, constants: set[int], supported: OperatorSet
) -> tuple[Cause | None, str | None]:
    """Return why an operator cannot run on the TPU, and the value that is the cause."""
    if name not in supported.names:
        return "operator", name
    used = [int(i) for i in (*op.inputs, *op.outputs) if i >= 0]
    allowed = {*_EIGHT_BITS, *(["INT16"] if "LSTM" in name else [])}
    wrong = [
        _type(graph, i)
        for i in used
        if _type(graph, i) not in allowed and not (i in constants and _type(graph, i) == "INT32")
    ]
    if wrong:
        return "data type", FOUR_BITS if wrong[0] == "INT4" else wrong[0].lower()
    for index in used:
        shape = shape_of(graph.tensors[index])
        if index not in constants and math.prod(max(1, d) for d in shape[:-_INNER_DIMENSIONS]) > 1:
            return "dimensions", " x ".join(map(str, shape))
    return None, None


def describe_cpu(placements: Sequence[Placement]) -> list[str]:
    """Return why operators run on the CPU, one text per cause."""
    texts = {
        "float input": "converts the float32 input",
        "data type": "uses {detail}, and the TPU int8",
        "operator": "the TPU has no such operator",
        "dimensions": "has a tensor of {detail}, and the TPU takes three dimensions",
        "follows another": "follows an operator on the CPU",
    }
    found: dict[str, list[str]] = {}
    for placement in placements:
        if placement.cause is not None:
            text = texts[placement.cause].format(detail=placement.detail)
            found.setdefault(text, []).append(placement.name)
    return [f"{_count(names)}: {text}" for text, names in found.items()]


def _count(names: Sequence[str]) -> str:
    """Return operators as text with their number."""
    distinct = dict.fromkeys(names)
    return ", ".join(f"{names.count(n)} {n}" if names.count(n) > 1 else n for n in distinct)


def _type(graph: Graph, index: int) -> str:
    return type_name(graph.tensors[index].type)


def _is_constant(tensor: Tensor, model: ModelTree) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0

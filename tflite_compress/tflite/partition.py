"""How LiteRT splits a graph between a delegate and the CPU, and the tensors that go from one to the other.

LiteRT runs operators in parts: a part holds all operators of one side that can run by then. The first
operator that can run, in the order of the file, decides the side of the next part. Operators with side
effects keep their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tflite_compress.tflite.flatbuffer import element_bytes, operator_name, type_name
from tflite_compress.tflite.operator_work import product
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of

_SIDE_EFFECTS = {
    *("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE", "IF", "WHILE"),
    *("HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE"),
}


@dataclass(frozen=True)
class Part:
    """Operators that run together on one side.

    Attributes:
        is_delegated: True if the delegate may run them.
        operators: Their places in the graph, in order.
    """

    is_delegated: bool
    operators: tuple[int, ...]


@dataclass(frozen=True)
class Crossing:
    """A tensor that one side computes and the other one reads.

    Attributes:
        tensor: Its index in the graph.
        bytes: Its size.
    """

    tensor: int
    bytes: int


def split_graph(tree: ModelTree, graph: Graph, delegated: Sequence[bool]) -> tuple[Part, ...]:
    """Return the parts in the order in which they run.

    Args:
        tree: The decoded file.
        graph: One of its graphs.
        delegated: Per operator, whether the delegate supports it.
    """
    operators = list(graph.operators or [])
    before = _order_of_side_effects(tree, operators)
    made = {int(i) for op in operators for i in op.outputs}
    ready = set(range(len(graph.tensors))) - made
    done: set[int] = set()
    parts: list[Part] = []
    while len(done) < len(operators):
        side: bool | None = None
        chosen: set[int] = set()
        is_growing = True
        while is_growing:
            is_growing = False
            for place in range(len(operators)):
                if place in done or side not in (None, delegated[place]):
                    continue
                inputs = all(int(i) in ready for i in operators[place].inputs if i >= 0)
                if inputs and before.get(place, place) in done | {place}:
                    side = delegated[place]
                    ready |= {int(i) for i in operators[place].outputs}
                    done.add(place)
                    chosen.add(place)
                    is_growing = True
        if side is None:  # no operator can run: the file is damaged
            break
        parts.append(Part(side, tuple(sorted(chosen))))
    return tuple(parts)


def find_crossings(tree: ModelTree, graph: Graph, delegated: Sequence[bool]) -> tuple[Crossing, ...]:
    """Return the tensors that one side computes and the other one reads.

    Args:
        tree: The decoded file.
        graph: One of its graphs.
        delegated: Per operator, whether the delegate runs it.
    """
    operators = list(graph.operators or [])
    maker = {
        int(i): place
        for place, op in enumerate(operators)
        for i in op.outputs
        if not converts_constant(tree, graph, op)
    }
    found: dict[int, Crossing] = {}
    for place, op in enumerate(operators):
        for index in (int(i) for i in op.inputs if i >= 0):
            if index in maker and delegated[maker[index]] != delegated[place]:
                found[index] = Crossing(index, _bytes(graph, index))
    return tuple(found.values())


def converts_constant(tree: ModelTree, graph: Graph, op: Operator) -> bool:
    """Return True for an operator that converts stored weights, once, when the file is loaded."""
    return operator_name(tree, op) in ("DEQUANTIZE", "DENSIFY") and all(
        is_stored(tree, graph, int(i)) or type_name(graph.tensors[int(i)].type) == "FLOAT16"
        for i in op.inputs
    )


def is_stored(tree: ModelTree, graph: Graph, index: int) -> bool:
    """Return True for a tensor whose values are in the file."""
    data = tree.buffers[graph.tensors[index].buffer].data
    return data is not None and len(data) > 0


def _order_of_side_effects(tree: ModelTree, operators: Sequence[Operator]) -> dict[int, int]:
    """Return per operator with side effects the one that must have run before."""
    places = [place for place, op in enumerate(operators) if operator_name(tree, op) in _SIDE_EFFECTS]
    return dict(zip(places[1:], places, strict=False))


def _bytes(graph: Graph, index: int) -> int:
    tensor = graph.tensors[index]
    return int(product(shape_of(tensor)) * element_bytes(tensor.type))

"""Split a file in two behind what a GPU computes: the head runs on the GPU, the tail on the CPU."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from tflite_compress.tflite.flatbuffer import (
    element_bytes,
    operator_name,
    pack,
    schema,
    text_of,
    type_name,
    unpack,
)
from tflite_compress.tflite.operator_work import count_operator, product
from tflite_compress.tflite.part_copy import copy_operator, copy_tensors
from tflite_compress.tflite.partition import converts_constant
from tflite_compress.tflite.state import find_state
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of

MAX_TAIL_SHARE = 0.05  # of the file's multiply-accumulates: the rest is not post-processing
MAX_TAIL_BYTES = 64 * 1024  # from head to tail per inference, if the undivided file moves less
PASSED_TYPES = ("FLOAT32", "INT32")  # that LiteRT's CompiledModel and LiteRT.js both read and write
SIGNATURE = b"serving_default"


@dataclass(frozen=True)
class Source:
    """Where an output of the undivided file comes from.

    Attributes:
        part: The file that computes it.
        place: Number of its output there.
    """

    part: Literal["head", "tail"]
    place: int


@dataclass(frozen=True)
class SplitFile:
    """A file in two. The first outputs of the head are the inputs of the tail, in the same order.

    Attributes:
        head: The file that runs first, as ``.tflite`` bytes. Its inputs are those of the undivided file.
        tail: The file that runs after it.
        passed: Number of tensors that go from the head to the tail.
        passed_bytes: Their size per inference.
        outputs: Where each output of the undivided file comes from.
        tail_operators: Names of the operators in the tail, in their order.
    """

    head: bytes
    tail: bytes
    passed: int
    passed_bytes: int
    outputs: tuple[Source, ...]
    tail_operators: tuple[str, ...]


def split_tail(content: bytes, taken: Sequence[bool], crossing_bytes: int) -> SplitFile | None:
    """Split a file at the first operator that the GPU refuses.

    The tail holds the refused operators and all that need their results. Tensors of types that cannot be
    passed on are computed in the tail too.

    Args:
        content: A valid ``.tflite``.
        taken: Per operator, whether the GPU supports it.
        crossing_bytes: Bytes that change sides per inference in the undivided file.

    Returns:
        The two files. None if the tail would be more than post-processing, if it needs an input of the file
        or a state, or if more bytes would change sides.
    """
    tree = unpack(content)
    state = find_state(tree)
    if len(tree.subgraphs) != 1 or state.has_variable_tensors or state.has_resources:
        return None
    graph = tree.subgraphs[0]
    computed = {p for p, op in enumerate(graph.operators) if not converts_constant(tree, graph, op)}
    tail = _grow(graph, computed, {p for p in computed if not taken[p]})
    head = computed - tail
    passed = _passed(graph, head, tail)
    made = {int(i) for p in computed for i in graph.operators[p].outputs}
    outputs = [int(i) for i in graph.outputs]
    reads_inputs = any(int(i) in _inputs(graph) for p in tail for i in graph.operators[p].inputs)
    size = sum(product(shape_of(graph.tensors[i])) * element_bytes(graph.tensors[i].type) for i in passed)
    if not passed or reads_inputs or not set(outputs) <= made or not _is_fixed(graph, tail):
        return None
    if size > max(crossing_bytes, MAX_TAIL_BYTES) or not _is_small(tree, graph, computed, tail):
        return None
    by_head = {int(i) for p in head for i in graph.operators[p].outputs}
    from_head = [*passed, *(i for i in outputs if i in by_head and i not in passed)]
    from_tail = [i for i in outputs if i not in by_head]
    names = {index: f"part_{number:03}" for number, index in enumerate(from_head)}
    own = _signature_names(tree, graph)
    return SplitFile(
        head=_cut(tree, graph, head, [int(i) for i in graph.inputs], from_head, {**own, **names}),
        tail=_cut(tree, graph, tail, passed, from_tail, {**own, **{i: names[i] for i in passed}}),
        passed=len(passed),
        passed_bytes=int(size),
        outputs=tuple(
            Source("head", from_head.index(i)) if i in by_head else Source("tail", from_tail.index(i))
            for i in outputs
        ),
        tail_operators=tuple(operator_name(tree, graph.operators[p]) for p in sorted(tail)),
    )


def _grow(graph: Graph, computed: Collection[int], tail: set[int]) -> set[int]:
    """Return the tail with all that needs its results, and all whose results cannot be passed on."""
    outputs = {int(i) for i in graph.outputs}
    while True:
        made = {int(i) for p in tail for i in graph.operators[p].outputs}
        read = {int(i) for p in tail for i in graph.operators[p].inputs} | outputs
        more = {
            p
            for p in set(computed) - tail
            if any(int(i) in made for i in graph.operators[p].inputs)
            or any(int(i) in read and not _can_pass(graph, int(i)) for i in graph.operators[p].outputs)
        }
        if not more:
            return tail
        tail = tail | more


def _can_pass(graph: Graph, index: int) -> bool:
    return type_name(graph.tensors[index].type) in PASSED_TYPES


def _passed(graph: Graph, head: Collection[int], tail: Collection[int]) -> list[int]:
    """Return the tensors that the head computes and the tail reads, in the order of the tail."""
    made = {int(i) for p in head for i in graph.operators[p].outputs}
    read = (int(i) for p in sorted(tail) for i in graph.operators[p].inputs)
    return list(dict.fromkeys(i for i in read if i in made))


def _inputs(graph: Graph) -> set[int]:
    return {int(i) for i in graph.inputs}


def _is_fixed(graph: Graph, tail: Collection[int]) -> bool:
    """Return True if all shapes in the tail are known: LiteRT's CompiledModel refuses others."""
    tensors = [graph.tensors[int(i)] for p in tail for i in _of(graph.operators[p]) if i >= 0]
    return all(t.shape is not None and -1 not in [int(d) for d in t.shapeSignature or ()] for t in tensors)


def _is_small(tree: ModelTree, graph: Graph, computed: Collection[int], tail: Collection[int]) -> bool:
    """Return True if the tail has few of the file's multiply-accumulates, and all of them are known."""
    macs = {
        p: count_operator(operator_name(tree, graph.operators[p]), graph.operators[p], graph)
        for p in computed
    }
    total = sum(count or 0 for count in macs.values())
    counts = [macs[p] or 0 for p in tail]
    return sum(counts) <= MAX_TAIL_SHARE * total and total > 0


def _of(op: Operator) -> list[int]:
    return [int(i) for i in (*op.inputs, *op.outputs)]


def _signature_names(tree: ModelTree, graph: Graph) -> dict[int, str]:
    """Return the names of inputs and outputs in the file's signature, by tensor."""
    return {
        int(entry.tensorIndex): text_of(entry.name)
        for signature in tree.signatureDefs or []
        if signature.subgraphIndex == 0
        for entry in [*(signature.inputs or []), *(signature.outputs or [])]
    }


def _cut(
    tree: ModelTree,
    graph: Graph,
    places: Collection[int],
    inputs: Sequence[int],
    outputs: Sequence[int],
    names: dict[int, str],
) -> bytes:
    """Return a file with some operators of a graph, and those that convert their weights.

    Args:
        tree: The decoded file.
        graph: Its only graph.
        places: The operators.
        inputs: Tensors that become the inputs.
        outputs: Tensors that become the outputs.
        names: Names for the signature, by tensor; those of tensors by default.
    """
    g = schema()
    chosen = _with_converters(tree, graph, places)
    used = dict.fromkeys([*inputs, *(i for op in chosen for i in _of(op) if i >= 0), *outputs])
    number = {index: place for place, index in enumerate(used)}
    model, part = g.ModelT(), g.SubGraphT()
    model.version, model.operatorCodes, model.description = tree.version, tree.operatorCodes, tree.description
    part.tensors, model.buffers = copy_tensors(tree, graph, used)
    part.name, part.operators = graph.name, [copy_operator(op, number) for op in chosen]
    part.inputs, part.outputs = [number[i] for i in inputs], [number[i] for i in outputs]
    model.subgraphs, model.signatureDefs = [part], [g.SignatureDefT()]
    (signature,) = model.signatureDefs
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = (
        [g.TensorMapT(name=_name(graph, i, names), tensorIndex=number[i]) for i in side]
        for side in (inputs, outputs)
    )
    return pack(model)


def _name(graph: Graph, index: int, names: dict[int, str]) -> str:
    return names.get(index) or text_of(graph.tensors[index].name) or f"tensor_{index}"


def _with_converters(tree: ModelTree, graph: Graph, places: Collection[int]) -> list[Operator]:
    """Return operators with those that convert stored weights for them, in the order of the file."""
    read = {int(i) for p in places for i in graph.operators[p].inputs}
    for op in reversed(graph.operators):
        if converts_constant(tree, graph, op) and any(int(i) in read for i in op.outputs):
            read |= {int(i) for i in op.inputs}
    return [
        op
        for place, op in enumerate(graph.operators)
        if place in places or (converts_constant(tree, graph, op) and any(int(i) in read for i in op.outputs))
    ]

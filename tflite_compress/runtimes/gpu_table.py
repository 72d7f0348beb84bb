"""The accelerator's answers as data, for machines on which it is not set up.

``benchmarks/gpu_operators.py`` asks the accelerator about each builtin operator and writes the table.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from tflite_compress.profiles.toml_files import bundled_folder
from tflite_compress.runtimes.gpu_plan import AT_LOADING, GpuPlan, make_plan
from tflite_compress.tflite.flatbuffer import operator_name, read_tree, type_name
from tflite_compress.tflite.layer_names import NO_LAYERS, LayerTable
from tflite_compress.tflite.partition import converts_constant, is_stored
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the accelerator said about an operator.

    Attributes:
        operator: Name in ``schema.fbs``.
        type: Type of the operator's first computed input, as in ``schema.fbs``.
        output: Type of its first output.
        ranks: Largest numbers of dimensions among its computed inputs and outputs.
        constants: Places of its inputs that are stored in the file.
        reason: Why it runs on the CPU, in the accelerator's words; None if the GPU takes it.
    """

    operator: str
    type: str
    output: str
    ranks: tuple[int, ...]
    constants: tuple[int, ...] = ()
    reason: str | None = None


class OperatorTable(msgspec.Struct, frozen=True):
    """All answers.

    Attributes:
        version: Package of the accelerator that answered, with its version.
        adapter: The adapter it ran on.
        answers: Sorted by operator and type.
    """

    version: str
    adapter: str
    answers: tuple[Answer, ...]


@functools.cache
def operator_table() -> OperatorTable:
    """Return the bundled table."""
    path = bundled_folder("devices") / "tables" / "gpu_operators.json"
    return msgspec.json.decode(path.read_bytes(), type=OperatorTable)


class AnswerKey(NamedTuple):
    """What an answer is about; see :class:`Answer`."""

    operator: str
    type: str
    output: str
    rank: int


@functools.cache
def _by_key() -> dict[AnswerKey, dict[tuple[int, ...], str | None]]:
    """Return the reasons by places of constants, by key."""
    found: dict[AnswerKey, dict[tuple[int, ...], str | None]] = {}
    for answer in operator_table().answers:
        for rank in answer.ranks:
            key = AnswerKey(answer.operator, answer.type, answer.output, rank)
            found.setdefault(key, {})[answer.constants] = answer.reason
    return found


def answer_key(
    tree: ModelTree, graph: Graph, op: Operator, converted: Collection[int] = ()
) -> tuple[AnswerKey, tuple[int, ...]]:
    """Return the key of an operator, and the places of its constants.

    Args:
        tree: The decoded file.
        graph: The operator's graph.
        op: The operator.
        converted: Tensors that are stored and converted when the file is loaded; they count as constants.
    """
    inputs = [int(i) for i in op.inputs]
    stored = [i >= 0 and (is_stored(tree, graph, i) or i in converted) for i in inputs]
    constants = tuple(place for place, is_constant in enumerate(stored) if is_constant)
    computed = [i for place, i in enumerate(inputs) if i >= 0 and place not in constants]
    tensors = [graph.tensors[i] for i in (*computed, *map(int, op.outputs))]
    kind = type_name(tensors[0].type) if tensors else ""
    output = type_name(graph.tensors[int(op.outputs[0])].type) if len(op.outputs) else ""
    rank = max((len(shape_of(tensor)) for tensor in tensors), default=0)
    return AnswerKey(operator_name(tree, op), kind, output, rank), constants


def look_up(content: bytes, layers: LayerTable = NO_LAYERS) -> GpuPlan:
    """Return how the accelerator divides a file, by the table.

    Operators about which the table says nothing count as refused, and their side is unknown.

    Args:
        content: A ``.tflite`` that was validated.
        layers: The layers of the Keras model it was made from.
    """
    tree, table = read_tree(content), operator_table()
    graph = tree.subgraphs[0]
    weights = [op for op in graph.operators or [] if converts_constant(tree, graph, op)]
    converted = {int(i) for op in weights for i in op.outputs}
    refusals: list[str | None] = []
    unknown = set()
    for place, op in enumerate(graph.operators or []):
        if converts_constant(tree, graph, op):
            refusals.append(AT_LOADING)
            continue
        key, constants = answer_key(tree, graph, op, converted)
        answers = _by_key().get(key)
        if answers is None:
            unknown.add(place)
            refusals.append(f"the table says nothing about it for {key.type.lower()}, {key.rank} dimensions")
        else:
            refusals.append(answers[constants] if constants in answers else next(iter(answers.values())))
    return make_plan(tree, refusals, f"table made with {table.version}", layers, unknown=frozenset(unknown))

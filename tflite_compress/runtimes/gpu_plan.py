"""Which operators of a file a phone's GPU computes: the accelerator's own answer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from tflite_compress.runtimes.gpu import accelerator_version
from tflite_compress.runtimes.gpu_driver import GpuDriver
from tflite_compress.runtimes.gpu_jobs import GpuFile, GpuRun, run_on_gpu, run_one_on_gpu
from tflite_compress.runtimes.gpu_log import GpuLog
from tflite_compress.tflite.flatbuffer import operator_name, read_tree, type_name
from tflite_compress.tflite.layer_names import NO_LAYERS, LayerTable
from tflite_compress.tflite.partition import (
    Crossing,
    converts_constant,
    find_crossings,
    is_stored,
    split_graph,
)
from tflite_compress.tflite.single_operator import cut_operator, operator_form
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of

APART = "lies outside the largest part that the GPU can run"
AT_LOADING = "converts stored weights once, when the file is loaded"


@dataclass(frozen=True)
class GpuOperator:
    """Where an operator runs.

    Attributes:
        name: Its name in ``schema.fbs``, or its custom name.
        layer: The Keras layer it comes from; empty if it is not known.
        on_gpu: True on the GPU, False on the CPU; None if it is not known.
        reason: Why it runs on the CPU, in the accelerator's own words; None on the GPU.
        rank: Largest number of dimensions of its inputs and outputs.
        types: Types of its inputs and outputs, as in ``schema.fbs``.
        constants: Places of its inputs that are stored in the file.
        is_constant: True if all its inputs are stored in the file.
        has_scalar: True if one of its inputs is computed and has no dimensions.
    """

    name: str
    layer: str
    on_gpu: bool | None
    reason: str | None
    rank: int = 0
    types: frozenset[str] = frozenset()
    constants: tuple[int, ...] = ()
    is_constant: bool = False
    has_scalar: bool = False


@dataclass(frozen=True)
class GpuPlan:
    """How the accelerator divides a file.

    Attributes:
        source: Who answered: the accelerator with its version, or the table.
        is_live: True if the accelerator itself answered.
        operators: The operators of the main graph in order.
        pieces: Number of parts that run one after another, on the GPU and on the CPU.
        crossings: Tensors that go from one side to the other.
        on_gpu: Number of operators on the GPU, as the accelerator states it.
    """

    source: str
    is_live: bool
    operators: tuple[GpuOperator, ...]
    pieces: int
    crossings: tuple[Crossing, ...]
    on_gpu: int

    @property
    def is_whole(self) -> bool:
        """True if the GPU computes every operator."""
        return all(op.on_gpu or op.reason == AT_LOADING for op in self.operators)

    @property
    def crossing_bytes(self) -> int:
        """Bytes that go from one side to the other per inference."""
        return sum(crossing.bytes for crossing in self.crossings)


def ask_accelerator(
    content: bytes, driver: GpuDriver = "software", layers: LayerTable = NO_LAYERS
) -> GpuPlan:
    """Let the accelerator compile a file, and return what it leaves to the CPU.

    The accelerator's log names kinds of operators with a reason. Where operators of such a kind differ in
    options, types or shapes, each of them is asked alone.

    Args:
        content: A ``.tflite`` that was validated.
        driver: ``software``, or ``device`` for the machine's own GPU.
        layers: The layers of the Keras model it was made from.

    Raises:
        GpuError: The accelerator refuses the file, crashes, or takes too long.
        UsageError: The accelerator is missing, or the driver is not set up.
    """
    tree = read_tree(content)
    run = run_one_on_gpu(content, driver=driver)
    source = f"{accelerator_version()} GPU accelerator ({run.adapter})"
    refusals = (
        [None] * len(tree.subgraphs[0].operators) if run.log.is_whole else _refusals(tree, run.log, driver)
    )
    return make_plan(tree, refusals, source, layers, run.log)


def make_plan(
    tree: ModelTree,
    refusals: Sequence[str | None],
    source: str,
    layers: LayerTable = NO_LAYERS,
    log: GpuLog | None = None,
    unknown: frozenset[int] = frozenset(),
) -> GpuPlan:
    """Divide a graph as the accelerator does: the largest part that it supports runs on the GPU.

    Args:
        tree: The decoded file.
        refusals: Per operator of the main graph, why it is refused; None if it is supported.
        source: Who answered.
        layers: The layers of the Keras model.
        log: The accelerator's log; None if the table answered.
        unknown: Operators about which nothing is known; they count as refused.
    """
    graph = tree.subgraphs[0]
    parts = split_graph(tree, graph, [reason is None for reason in refusals])
    gpu_parts = sorted((p for p in parts if p.is_delegated), key=lambda part: -len(part.operators))
    largest = set(gpu_parts[0].operators) if gpu_parts else set()
    chosen = [place in largest for place in range(len(refusals))]
    operators = tuple(
        _describe(tree, op, layers, None if place in unknown else chosen[place], refusals[place] or APART)
        if not converts_constant(tree, graph, op)
        else _describe(tree, op, layers, False, AT_LOADING)
        for place, op in enumerate(graph.operators or [])
    )
    pieces = len(split_graph(tree, graph, chosen))
    on_gpu = len(largest) if log is None or log.on_gpu is None else log.on_gpu
    return GpuPlan(source, log is not None, operators, pieces, find_crossings(tree, graph, chosen), on_gpu)


def _describe(
    tree: ModelTree, op: Operator, layers: LayerTable, on_gpu: bool | None, reason: str
) -> GpuOperator:
    graph = tree.subgraphs[0]
    tensors = [graph.tensors[int(i)] for i in (*op.inputs, *op.outputs) if i >= 0]
    given = [place for place, i in enumerate(op.inputs) if i >= 0]
    constants = tuple(place for place in given if is_stored(tree, graph, int(op.inputs[place])))
    return GpuOperator(
        operator_name(tree, op),
        layers.layer_of(tree, graph, op),
        on_gpu,
        None if on_gpu else reason,
        max((len(shape_of(tensor)) for tensor in tensors), default=0),
        frozenset(type_name(tensor.type) for tensor in tensors),
        constants,
        len(constants) == len(given),
        any(not shape_of(graph.tensors[int(op.inputs[p])]) for p in given if p not in constants),
    )


def _refusals(tree: ModelTree, log: GpuLog, driver: GpuDriver) -> list[str | None]:
    """Return per operator why it is refused, asking those alone whose kind is refused in part."""
    graph = tree.subgraphs[0]
    reasons: dict[str, list[str]] = {}
    for refusal in log.refused:
        reasons.setdefault(refusal.operator, []).append(refusal.reason)
    forms = {place: operator_form(tree, graph, op) for place, op in enumerate(graph.operators)}
    kinds = {place: operator_name(tree, op) for place, op in enumerate(graph.operators)}
    doubtful: dict[Hashable, int] = {}
    for kind in reasons:
        alike = {
            forms[place]: place
            for place, op in enumerate(graph.operators)
            if kinds[place] == kind and not converts_constant(tree, graph, op)
        }
        if len(alike) > 1:
            doubtful |= alike
    answers = _ask_alone(tree, graph, doubtful, driver)
    found: list[str | None] = []
    for place, kind in kinds.items():
        if kind not in reasons:
            found.append(None)
        elif converts_constant(tree, graph, graph.operators[place]):
            found.append(AT_LOADING)
        else:
            told = "; ".join(filter(None, reasons[kind])) or "the accelerator gives no reason"
            found.append(answers.get(forms[place], told))
    return found


def _ask_alone(
    tree: ModelTree, graph: Graph, places: dict[Hashable, int], driver: GpuDriver
) -> dict[Hashable, str | None]:
    """Ask about single operators; those that cannot run alone are left out."""
    if not places:
        return {}
    files = [GpuFile(cut_operator(tree, graph, graph.operators[place])) for place in places.values()]
    found: dict[Hashable, str | None] = {}
    for form, run in zip(places, run_on_gpu(files, driver=driver), strict=True):
        if isinstance(run, GpuRun):
            found[form] = refusal_of(run)
    return found


def refusal_of(run: GpuRun) -> str | None:
    """Return why an operator that was asked alone runs on the CPU; None if the GPU takes it."""
    if run.log.is_whole:
        return None
    return "; ".join(r.reason for r in run.log.refused if r.reason) or "the accelerator gives no reason"

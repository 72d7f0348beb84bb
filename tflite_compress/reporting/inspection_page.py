"""The pages of ``inspect``: what a ``.tflite`` contains, and how two files differ."""

from __future__ import annotations

from pathlib import Path

from tflite_compress.inspection.diff import Difference
from tflite_compress.inspection.inspect_file import Inspection
from tflite_compress.inspection.weights import WeightTensor
from tflite_compress.reporting.facts_page import (
    Card,
    Cards,
    FactsPage,
    Lines,
    NetworkGraph,
    Table,
    shares_of_largest,
)
from tflite_compress.reporting.graph_svg import GRAPH_CAPTION, network_graph
from tflite_compress.reporting.inspection_table import (
    describe_port,
    difference_row,
    weight_cells,
    weight_in_words,
)
from tflite_compress.reporting.network_operators import network_operators
from tflite_compress.support.quantities import format_bytes, format_number, format_share


def inspection_page(found: Inspection) -> FactsPage:
    """Show operators, weights and where the bytes of a file go."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.tensors.items())
    missing = f"not counted: {', '.join(found.uncounted)}" if found.uncounted else None
    cards = (
        Card("File", format_bytes(found.bytes)),
        Card("Multiply-accumulates", f"{format_number(found.macs)} MACs", missing),
        Card("Activations at the peak", format_bytes(found.activations_bytes), "estimated from the file"),
        Card("Operators", f"{len(found.operators):,}", f"tensors: {kinds}"),
    )
    ports = tuple(
        f"{word} {describe_port(port)}"
        for word, specs in (("input", found.inputs), ("output", found.outputs))
        for port in specs
    )
    parts = tuple(found.parts.items())
    return FactsPage(
        Path(found.path).name,
        f"Contents of {found.path}. Nothing was run.",
        (
            Cards(cards),
            Lines("Inputs and outputs", ports),
            Table(
                "Where the bytes go",
                ("part", "size", "of the file"),
                tuple((name, format_bytes(n), format_share(n / found.bytes)) for name, n in parts),
                frozenset({1, 2}),
                tuple(n / found.bytes for _, n in parts),
            ),
            _weights(found.weights),
            *_graphs(found),
        ),
    )


def difference_page(before: Inspection, after: Inspection, found: Difference) -> FactsPage:
    """Show how two files differ."""
    counts = tuple((name, str(a), str(b), f"{b - a:+}") for name, (a, b) in found.operators.items())
    rows = tuple((name, *difference_row(name, a, b)) for name, (a, b) in found.figures.items())
    layers = tuple(
        (name, *("" if tensor is None else weight_in_words(tensor) for tensor in pair))
        for name, pair in found.layers.items()
    )
    return FactsPage(
        f"{Path(before.path).name} and {Path(after.path).name}",
        f"A: {before.path}. B: {after.path}. Nothing was run.",
        (
            Table("Figures", ("figure", "A", "B", "B - A"), rows + counts, frozenset({1, 2, 3})),
            Table("Weights that differ", ("layer", "A", "B"), layers),
            Lines(None, () if layers else ("No weights differ in type, shape, zeros or entropy.",)),
        ),
    )


def _weights(weights: tuple[WeightTensor, ...]) -> Table:
    heads = ("layer", "type", "shape", "size", "zeros", "values", "bits per weight", "scales")
    bars = shares_of_largest([w.bytes for w in weights])
    return Table("Weights by layer", heads, tuple(map(weight_cells, weights)), frozenset(range(3, 8)), bars)


def _graphs(found: Inspection) -> tuple[NetworkGraph, ...]:
    """Draw the main graph and those of loops and branches."""
    graphs = []
    for number in sorted({op.graph for op in found.operators}):
        title = "Network graph" if number == 0 else f"Subgraph {number}"
        html = network_graph(network_operators([op for op in found.operators if op.graph == number]), title)
        if html is not None:
            graphs.append(NetworkGraph(title, GRAPH_CAPTION, html))
    return tuple(graphs)

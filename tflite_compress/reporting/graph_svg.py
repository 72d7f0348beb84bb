"""The network graph of a page: operators as boxes in an SVG that scrolls, zooms and works without a script.

Colours are chosen by radio buttons and the style sheet; the page's script adds buttons to zoom, dragging, and
arrow keys that move between operators.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from html import escape

from tflite_compress.inspection.graph_layout import layered_places
from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.reporting.facts_page import shares_of_largest
from tflite_compress.reporting.html import markup, render
from tflite_compress.support.quantities import format_bytes, format_ms, format_number, format_share

BOX, HIGH, GAP_X, GAP_Y, MARGIN = 240, 66, 24, 26, 12
MAX_LETTERS, MAX_FIGURES = 30, 40
_CHOICES = {"size": "size", "time": "time", "macs": "MACs", "error": "error"}


def network_graph(operators: Sequence[NetworkOperator], label: str = "Network graph") -> str | None:
    """Draw operators with shape, bytes, MACs and precision, and list them in a table.

    Args:
        operators: See :func:`tflite_compress.reporting.network_operators.read_operators`.
        label: What the graph shows; unique on a page.

    Returns:
        HTML for :func:`~tflite_compress.reporting.html.markup`; None if there are no operators.
    """
    if not operators:
        return None
    shades = {name: shares_of_largest([_weight(op, name) for op in operators]) for name in _CHOICES}
    known = {name: shares for name, shares in shades.items() if any(shares)}
    return render(
        "network_graph.html",
        label=label,
        group=f"colour-{zlib.crc32(label.encode()):x}",
        choices=[(name, _CHOICES[name]) for name in known],
        svg=markup(_svg(operators, known, label)),
        rows=[(number, *_cells(op)) for number, op in enumerate(operators)],
    )


def _weight(op: NetworkOperator, name: str) -> float:
    amounts = {"size": op.bytes, "time": op.ms, "macs": op.macs, "error": op.added_noise}
    return float(amounts[name] or 0.0)


def _svg(operators: Sequence[NetworkOperator], shades: dict[str, tuple[float, ...]], label: str) -> str:
    edges = [(source, reader) for reader, op in enumerate(operators) for source in op.inputs]
    grid = layered_places(range(len(operators)), edges)
    columns = 1 + max(column for column, _ in grid.values())
    width = 2 * MARGIN + columns * (BOX + GAP_X) - GAP_X
    height = 2 * MARGIN + (1 + max(row for _, row in grid.values())) * (HIGH + GAP_Y) - GAP_Y
    places = {n: (MARGIN + c * (BOX + GAP_X), MARGIN + r * (HIGH + GAP_Y)) for n, (c, r) in grid.items()}
    lines = [_line(places[a], places[b]) for a, b in edges]
    boxes = [
        _box(number, op, places[number], {name: shares[number] for name, shares in shades.items()})
        for number, op in enumerate(operators)
    ]
    return (
        f'<svg class="network" role="group" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">{"".join(lines + boxes)}</svg>'
    )


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1, x2, y2 = start[0] + BOX // 2, start[1] + HIGH, end[0] + BOX // 2, end[1]
    bend = (y1 + y2) // 2
    return f'<path d="M{x1} {y1}C{x1} {bend} {x2} {bend} {x2} {y2}"/>'


def _box(number: int, op: NetworkOperator, place: tuple[int, int], shades: dict[str, float]) -> str:
    x, y = place
    style = ";".join(f"--by-{name}:{share:.3f}" for name, share in shades.items())
    layer = escape(_short(op.layer or f"operator {number}", MAX_LETTERS))
    figures = [format_bytes(op.bytes) if op.bytes else "", _macs(op), _precision(op)]
    figure = escape(_short(" · ".join(f for f in figures if f), MAX_FIGURES))
    shape = escape(_shape(op))
    kind = escape(_short(op.operator, MAX_LETTERS - len(shape)))
    return (
        f'<g class="value op" role="img" tabindex="{0 if number == 0 else -1}" style="{style}" '
        f'aria-label="{escape(_words(number, op))}">'
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{HIGH}" rx="5"/>'
        f'<text class="operator" x="{x + 8}" y="{y + 18}">{kind}</text>'
        f'<text x="{x + BOX - 8}" y="{y + 18}" text-anchor="end">{shape}</text>'
        f'<text x="{x + 8}" y="{y + 38}">{layer}</text>'
        f'<text x="{x + 8}" y="{y + 57}">{figure}</text></g>'
    )


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else "…" + text[1 - letters :]


def _shape(op: NetworkOperator) -> str:
    return "x".join(map(str, op.shape))


def _precision(op: NetworkOperator) -> str:
    """Return the type of the output, and that of the weights where it differs."""
    kind = (op.type or "").lower()
    if op.weight_type is None or op.weight_type == op.type:
        return kind
    return f"{kind}, {op.weight_type.lower()} weights"


def _macs(op: NetworkOperator) -> str:
    return f"{format_number(op.macs)} MACs" if op.macs else ""


def _cells(op: NetworkOperator) -> tuple[str, ...]:
    """Return operator, layer, precision, shape, size, MACs, time and error for the table."""
    return (
        op.operator,
        op.layer or "",
        _precision(op),
        _shape(op),
        format_bytes(op.bytes) if op.bytes else "",
        format_number(op.macs) if op.macs else "",
        "" if op.ms is None else format_ms(op.ms),
        "" if op.added_noise is None else format_share(op.added_noise),
    )


def _words(number: int, op: NetworkOperator) -> str:
    """Describe an operator in a line."""
    names = ("", "", "", "output ", "weights ", "MACs ", "time ", "noise added ")
    cells = [f"{name}{cell}" for name, cell in zip(names, _cells(op), strict=True) if cell]
    return f"{number}: {', '.join(cells)}"

"""The network graph: an SVG that scrolls, zooms and works without a script, for pages and as a file.

On a page, colours are chosen by radio buttons and the style sheet; the page's script adds buttons to zoom,
dragging, and arrow keys that move between operators. As a file, boxes have the colour of their precision.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from html import escape

from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.reporting.facts_page import shares_of_largest
from tflite_compress.reporting.graph_drawing import ARROW, BOX, HIGH, Drawing, Point, lay_out
from tflite_compress.reporting.graph_texts import (
    HEADS,
    PAPER,
    box_texts,
    in_words,
    precision_of,
    table_cells,
)
from tflite_compress.reporting.html import markup, render
from tflite_compress.support.quantities import format_bytes, format_ms, format_number, format_share

GRAPH_CAPTION = (
    "Operators in the order of execution, from top to bottom; a long network continues in the next column. "
    "The shape below a box is that of its output. The stronger the colour, the larger the chosen value."
)
MAX_DRAWN = 2000  # operators; browsers become slow with more
RIGHT_ALIGNED = frozenset({"#", "weights", "MACs", "time", "noise added"})
_AMOUNTS = {
    "size": ("size", format_bytes),
    "time": ("time", format_ms),
    "macs": ("MACs", format_number),
    "error": ("error", format_share),
}


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
    amounts = {name: [_amount(op, name) for op in operators] for name in _AMOUNTS}
    known = {name: values for name, values in amounts.items() if any(values)}
    shades = {name: shares_of_largest(values) for name, values in known.items()}
    precisions = [name for name in PAPER if any(precision_of(op) == name for op in operators)]
    is_drawn = len(operators) <= MAX_DRAWN
    rows = [table_cells(op) for op in operators]
    return render(
        "network_graph.html",
        label=label,
        group=f"colour-{zlib.crc32(label.encode()):x}",
        choices=[
            (name, f"{_AMOUNTS[name][0]} (up to {_AMOUNTS[name][1](max(values))})")
            for name, values in known.items()
        ],
        precisions=precisions,
        svg=markup(_on_page(operators, shades, label)) if is_drawn else None,
        columns=[(n, head, head in RIGHT_ALIGNED) for n, head in enumerate(HEADS) if any(r[n] for r in rows)],
        rows=rows,
        left_out=sum(op.unpacks for op in operators),
        max_drawn=MAX_DRAWN,
    )


def graph_file(operators: Sequence[NetworkOperator], title: str) -> str:
    """Draw operators as the text of an SVG file of its own.

    Args:
        operators: See :func:`tflite_compress.reporting.network_operators.read_operators`.
        title: What the graph shows.
    """
    drawing = lay_out(operators)
    boxes = [_box(op, drawing, place, "") for place, op in enumerate(operators)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing.width} {drawing.height}" '
        f'width="{drawing.width}" height="{drawing.height}" font-family="sans-serif" font-size="12">'
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="white"/>'
        f"{_lines(drawing)}{''.join(boxes)}</svg>\n"
    )


def _amount(op: NetworkOperator, name: str) -> float:
    amounts = {"size": op.bytes, "time": op.ms, "macs": op.macs, "error": op.added_noise}
    return float(amounts[name] or 0.0)


def _on_page(operators: Sequence[NetworkOperator], shades: dict[str, tuple[float, ...]], label: str) -> str:
    drawing = lay_out(operators)
    boxes = []
    for place, op in enumerate(operators):
        style = ";".join(f"--by-{name}:{shares[place]:.3f}" for name, shares in shades.items())
        reached = f'tabindex="{0 if place == 0 else -1}" style="{style}" aria-label="{escape(in_words(op))}"'
        boxes.append(_box(op, drawing, place, f' class="value op {precision_of(op)}" role="img" {reached}'))
    return (
        f'<svg class="network" role="group" aria-label="{escape(label)}" '
        f'viewBox="0 0 {drawing.width} {drawing.height}" width="{drawing.width}" height="{drawing.height}">'
        f"{_lines(drawing)}{''.join(boxes)}</svg>"
    )


def _lines(drawing: Drawing) -> str:
    lines = "".join(f'<path d="{_path(line)}"/>' for line in drawing.lines)
    ends = dict.fromkeys(line[-1] for line in drawing.lines)
    heads = "".join(f"M{x} {y}l{-ARROW} {-2 * ARROW}h{2 * ARROW}z" for x, y in ends)
    return (
        f'<g class="edges" fill="none" stroke="#77828d">{lines}</g>'
        f'<path class="heads" fill="#77828d" d="{heads}"/>'
    )


def _path(corners: Sequence[Point]) -> str:
    (x, y), *others = corners
    found = f"M{x} {y}"
    for to_x, to_y in others:
        found += f"V{to_y}" if to_x == x else f"H{to_x}"
        x = to_x
    return found


def _box(op: NetworkOperator, drawing: Drawing, place: int, attributes: str) -> str:
    (x, y), (label_x, label_y), texts = drawing.boxes[place], drawing.labels[place], box_texts(op)
    title = "" if attributes else f"<title>{escape(in_words(op))}</title>"
    right = f'x="{x + BOX - 8}" text-anchor="end"'
    return (
        f"<g{attributes}>{title}"
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{HIGH}" rx="5" fill="{PAPER[precision_of(op)]}" '
        'stroke="#77828d"/>'
        f'<text x="{x + 8}" y="{y + 18}" font-weight="bold">{escape(texts.operator)}</text>'
        f'<text {right} y="{y + 18}">{texts.number}</text>'
        f'<text x="{x + 8}" y="{y + 38}">{escape(texts.layer)}</text>'
        f'<text x="{x + 8}" y="{y + 57}">{escape(texts.figures)}</text>'
        f'<text {right} y="{y + 57}">{escape(texts.precision)}</text>'
        f'<text x="{label_x}" y="{label_y}">{escape(texts.shape)}</text></g>'
    )

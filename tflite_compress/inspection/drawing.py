"""Draw a model's graph as SVG: one box per operator, from top to bottom by depth."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from tflite_compress.inspection.graph_layout import layered_places
from tflite_compress.inspection.inspect_file import Inspection, OperatorRow

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 190, 46, 24, 30, 16
_COLORS = {"FLOAT32": "#e8eef7", "FLOAT16": "#e8eef7", "INT8": "#e6f4e6", "INT16": "#f7f2dc"}


@dataclass(frozen=True)
class Layout:
    """Where the operators of the main graph are drawn.

    Attributes:
        rows: The operators.
        edges: Pairs of operator numbers: the second reads a tensor that the first writes.
        places: The upper left corner of each operator's box by number.
        width, height: Size of the drawing.
    """

    rows: list[OperatorRow]
    edges: list[tuple[int, int]]
    places: dict[int, tuple[int, int]]
    width: int
    height: int


@dataclass(frozen=True)
class Box:
    """Texts and color of the box of an operator."""

    title: str
    shape: str
    layer: str
    color: str


def layout(found: Inspection) -> Layout:
    """Return where the operators of the main graph are drawn."""
    rows = [op for op in found.operators if op.graph == 0]
    makers = {tensor: op.index for op in rows for tensor in op.outputs}
    edges = [(makers[t], op.index) for op in rows for t in op.inputs if t in makers]
    places = _places(rows, edges)
    wide = max((x for x, _ in places.values()), default=0) + WIDTH + MARGIN
    high = max((y for _, y in places.values()), default=0) + HEIGHT + MARGIN
    return Layout(rows, edges, places, wide, high)


def box_of(op: OperatorRow) -> Box:
    """Return texts and color of an operator's box."""
    layer = op.layer if len(op.layer) <= 28 else "…" + op.layer[-27:]
    return Box(op.name, "x".join(map(str, op.shape)), layer, _COLORS.get(op.type, "#eee"))


def draw_svg(found: Inspection) -> str:
    """Draw the main graph of a file.

    Args:
        found: Inspection of the file.

    Returns:
        The text of an SVG file.
    """
    graph = layout(found)
    wide, high = graph.width, graph.height
    lines = [_line(graph.places[a], graph.places[b]) for a, b in graph.edges]
    boxes = [_box(op, graph.places[op.index]) for op in graph.rows]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        'font-family="sans-serif" font-size="11">'
        f'<title>{escape(found.path)}</title><rect width="100%" height="100%" fill="white"/>'
        + "".join(lines + boxes)
        + "</svg>\n"
    )


def _places(rows: list[OperatorRow], edges: list[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Return the upper left corner of each box: one row per depth."""
    grid = layered_places([op.index for op in rows], edges)
    return {
        index: (MARGIN + column * (WIDTH + GAP_X), MARGIN + row * (HEIGHT + GAP_Y))
        for index, (column, row) in grid.items()
    }


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + WIDTH // 2, start[1] + HEIGHT
    x2, y2 = end[0] + WIDTH // 2, end[1]
    bend = (y1 + y2) // 2
    return f'<path d="M{x1} {y1}C{x1} {bend} {x2} {bend} {x2} {y2}" fill="none" stroke="#888"/>'


def _box(op: OperatorRow, place: tuple[int, int]) -> str:
    x, y = place
    box = box_of(op)
    return (
        f"<g><title>{escape(f'{op.index}: {op.name} {op.layer} {op.type} {box.shape}')}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{box.color}" stroke="#666"/>'
        f'<text x="{x + 8}" y="{y + 18}" font-weight="bold">{escape(box.title)}</text>'
        f'<text x="{x + WIDTH - 8}" y="{y + 18}" text-anchor="end">{escape(box.shape)}</text>'
        f'<text x="{x + 8}" y="{y + 36}" fill="#444">{escape(box.layer)}</text></g>'
    )

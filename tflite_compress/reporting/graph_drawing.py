"""Where boxes, lines and labels of a network graph are: the same for SVG and PNG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.reporting.graph_layout import assign_lanes, layered_places, split_into_bands

BOX, HIGH, GAP_X, GAP_Y, MARGIN = 300, 66, 24, 40, 12
LANE = 10  # width of the way of an edge that passes rows
LABEL = 14  # from a box to the base line of the label below it
TURN, STAGGER = 20, 4  # from a box to where edges turn; edges of neighbours turn at different heights
ARROW = 5

Point = tuple[int, int]


@dataclass(frozen=True)
class Drawing:
    """Places in a drawing, from its upper left corner.

    Attributes:
        width, height: Its size.
        boxes: Upper left corner of each operator's box; all boxes are ``BOX`` wide and ``HIGH`` high.
        lines: Corners of the line of each edge, which ends at the top of a box.
        labels: Where the shape of each operator's output is written, left-aligned.
    """

    width: int
    height: int
    boxes: tuple[Point, ...]
    lines: tuple[tuple[Point, ...], ...]
    labels: tuple[Point, ...]


@dataclass(frozen=True)
class _Grid:
    """Columns, rows and bands of the boxes.

    Attributes:
        places: Column and row by operator, the row from the top of the band.
        band: Band by operator.
        left: Left edge of the boxes of each band.
        lanes: Lane by band and the operator whose output passes rows in it.
    """

    places: dict[int, Point]
    band: dict[int, int]
    left: tuple[int, ...]
    lanes: dict[tuple[int, int], int]

    def corner(self, node: int) -> Point:
        column, row = self.places[node]
        return self.left[self.band[node]] + column * (BOX + GAP_X), MARGIN + GAP_Y // 2 + row * (HIGH + GAP_Y)

    def lane(self, band: int, node: int) -> int:
        return self.left[band] - GAP_X // 2 - LANE * self.lanes[band, node]


def lay_out(operators: Sequence[NetworkOperator]) -> Drawing:
    """Place the boxes of operators and the lines between them; no line passes behind a box.

    Args:
        operators: At least one.
    """
    edges = [(source, reader) for reader, op in enumerate(operators) for source in op.inputs]
    grid, width = _grid(len(operators), edges)
    boxes = tuple(grid.corner(node) for node in range(len(operators)))
    return Drawing(
        width,
        max(y for _, y in boxes) + HIGH + GAP_Y // 2 + MARGIN,
        boxes,
        tuple(_line(grid, source, reader) for source, reader in edges),
        tuple((x + BOX // 2 + 6, y + HIGH + LABEL) for x, y in boxes),
    )


def _grid(count: int, edges: Sequence[tuple[int, int]]) -> tuple[_Grid, int]:
    """Return the grid and the width of the drawing."""
    whole = layered_places(range(count), edges)
    starts = split_into_bands(whole, edges)
    band = {node: sum(row >= start for start in starts) - 1 for node, (_, row) in whole.items()}
    places = {node: (column, row - starts[band[node]]) for node, (column, row) in whole.items()}
    lanes = _lanes(places, band, edges)
    left, x = [], MARGIN
    for number in range(len(starts)):
        used = 1 + max((lane for (b, _), lane in lanes.items() if b == number), default=-1)
        left.append(x + (GAP_X // 2 + LANE * used if used else 0))
        columns = 1 + max(places[node][0] for node in places if band[node] == number)
        x = left[-1] + columns * (BOX + GAP_X)
    return _Grid(places, band, tuple(left), lanes), x - GAP_X + MARGIN


def _is_direct(places: dict[int, Point], band: dict[int, int], source: int, reader: int) -> bool:
    return band[source] == band[reader] and places[reader][1] == places[source][1] + 1


def _lanes(
    places: dict[int, Point], band: dict[int, int], edges: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """Give the output of each operator one lane in each band where it passes rows."""
    rows: dict[tuple[int, int], list[int]] = defaultdict(list)
    for source, reader in edges:
        if not _is_direct(places, band, source, reader):
            rows[band[reader], source] += [places[source][1], places[reader][1] - 1]
    found: dict[tuple[int, int], int] = {}
    for number in set(band.values()):
        keys = [key for key in rows if key[0] == number]
        spans = [(min(rows[key]), max(rows[key])) for key in keys]
        found.update(zip(keys, assign_lanes(spans), strict=True))
    return found


def _line(grid: _Grid, source: int, reader: int) -> tuple[Point, ...]:
    """Return the corners of an edge: it turns below its source, and again above its reader."""
    (x1, y1), (x2, y2) = grid.corner(source), grid.corner(reader)
    start, end, down = x1 + BOX // 2, x2 + BOX // 2, y1 + HIGH
    turn = TURN + STAGGER * (grid.places[source][0] % 4)
    if _is_direct(grid.places, grid.band, source, reader):
        corners = [(start, down), (start, down + turn), (end, down + turn), (end, y2)]
        return tuple(corners) if start != end else (corners[0], corners[-1])
    lane = grid.lane(grid.band[reader], source)
    above = y2 - GAP_Y + turn
    return (start, down), (start, down + turn), (lane, down + turn), (lane, above), (end, above), (end, y2)

"""Lay out a graph on a grid: a node is below everything it reads, and long graphs continue in a next band."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

MIN_ROWS = 20  # fewer rows stay in one band
FLEXIBLE = 0.3  # a band is shorter or longer by up to this share, to cut fewer edges
TALL = 2.0  # squared rows per box of a drawing somewhat wider than high


def layered_places(nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Return the column and row of each node.

    A node's row is the length of the longest path to it. A node that reads nothing is in the row above its
    first reader. Within a row, nodes are ordered by the mean column of the nodes they read, so that fewer
    edges cross.

    Args:
        nodes: Numbers of the nodes, each behind the nodes that it reads.
        edges: Pairs of nodes: the second reads the first.

    Returns:
        Column and row by node, both from 0. No two nodes have the same place.
    """
    before: dict[int, list[int]] = defaultdict(list)
    behind: dict[int, list[int]] = defaultdict(list)
    for source, reader in edges:
        before[reader].append(source)
        behind[source].append(reader)
    depth: dict[int, int] = {}
    for node in nodes:
        depth[node] = 1 + max((depth[b] for b in before[node] if b in depth), default=-1)
    for node in nodes:
        if not before[node]:
            depth[node] = max(0, min((depth[reader] for reader in behind[node]), default=1) - 1)
    rows: dict[int, list[int]] = defaultdict(list)
    for node in nodes:
        rows[depth[node]].append(node)
    places: dict[int, tuple[int, int]] = {}
    for row in sorted(rows):
        for column, node in enumerate(sorted(rows[row], key=lambda n: _mean_column(before[n], places))):
            places[node] = (column, row)
    return places


def split_into_bands(places: dict[int, tuple[int, int]], edges: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Split rows into bands that are drawn side by side, so that a long graph is not a single narrow strip.

    Bands end where few edges are cut.

    Args:
        places: Column and row by node; see :func:`layered_places`.
        edges: Pairs of nodes: the second reads the first.

    Returns:
        First row of each band, in ascending order; starts with 0.
    """
    count = 1 + max((row for _, row in places.values()), default=0)
    wanted = max(MIN_ROWS, math.ceil(math.sqrt(TALL * len(places))))
    cut = [0] * (count + 1)
    for source, reader in edges:
        for row in range(places[source][1] + 1, places[reader][1] + 1):
            cut[row] += 1
    starts = [0]
    while count - starts[-1] > wanted * (1 + FLEXIBLE):
        middle = starts[-1] + wanted
        least, most = math.ceil(middle - FLEXIBLE * wanted), math.floor(middle + FLEXIBLE * wanted)
        starts.append(min(range(least, most + 1), key=lambda row: (cut[row], abs(row - middle))))
    return tuple(starts)


def assign_lanes(spans: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return a lane for each span of rows, so that no two spans of a lane touch.

    Args:
        spans: First and last row of each span.
    """
    lanes = [0] * len(spans)
    ends: list[int] = []
    for number in sorted(range(len(spans)), key=lambda n: spans[n]):
        first, last = spans[number]
        lane = next((n for n, end in enumerate(ends) if end < first), len(ends))
        ends[lane:] = [last, *ends[lane + 1 :]]
        lanes[number] = lane
    return tuple(lanes)


def _mean_column(sources: Sequence[int], places: dict[int, tuple[int, int]]) -> float:
    columns = [places[source][0] for source in sources if source in places]
    return sum(columns) / len(columns) if columns else 0.0

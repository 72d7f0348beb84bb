"""Lay out a graph in rows by depth: a node is below everything it reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence


def layered_places(nodes: Sequence[int], edges: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Return the column and row of each node.

    A node's row is the length of the longest path to it. Within a row, nodes are ordered by the mean column
    of the nodes they read, so that fewer edges cross.

    Args:
        nodes: Numbers of the nodes, each behind the nodes that it reads.
        edges: Pairs of nodes: the second reads the first.

    Returns:
        Column and row by node, both from 0. No two nodes have the same place.
    """
    before: dict[int, list[int]] = defaultdict(list)
    for source, reader in edges:
        before[reader].append(source)
    depth: dict[int, int] = {}
    rows: dict[int, list[int]] = defaultdict(list)
    for node in nodes:
        depth[node] = 1 + max((depth[b] for b in before[node] if b in depth), default=-1)
        rows[depth[node]].append(node)
    places: dict[int, tuple[int, int]] = {}
    for row in sorted(rows):
        for column, node in enumerate(sorted(rows[row], key=lambda n: _mean_column(before[n], places))):
            places[node] = (column, row)
    return places


def _mean_column(sources: Sequence[int], places: dict[int, tuple[int, int]]) -> float:
    columns = [places[source][0] for source in sources if source in places]
    return sum(columns) / len(columns) if columns else 0.0

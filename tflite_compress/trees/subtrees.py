"""A forest as one graph of splits, from which the ``.tflite`` and the C code are written.

Leaves with equal values share one row of a table; with ``Forest.merged`` equal subtrees share their nodes,
as in reduced decision diagrams (Bryant, "Graph-Based Algorithms for Boolean Function Manipulation", 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.trees.forest import LEAF, Forest, Tree

SPLIT_BYTES = 6  # one each for feature and threshold, two for each child


@dataclass(frozen=True, eq=False)
class Subtrees:
    """Splits numbered from 0, children before parents. Leaf row ``r`` has the reference ``-1 - r``.

    Attributes:
        feature: int32, shape (splits,).
        threshold: float32, shape (splits,).
        missing_right: bool, shape (splits,).
        left, right: References of the children, int32, shape (splits,).
        roots: Reference of each tree's root, int32, shape (trees,).
        rows: Values of the leaves, float64, shape (rows, columns), or (rows, 1) with :attr:`column`.
        column: The only column that each tree adds to, int32, shape (trees,); None if leaves have all
            columns.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_right: np.ndarray
    left: np.ndarray
    right: np.ndarray
    roots: np.ndarray
    rows: np.ndarray
    column: np.ndarray | None


def estimate_bytes(parts: Subtrees) -> int:
    """Return the bytes of tables with int8 thresholds and leaves, to compare unquantized forests."""
    return len(parts.feature) * SPLIT_BYTES + parts.rows.size


def find_subtrees(forest: Forest) -> Subtrees:
    """Return a forest's splits and leaves as one graph."""
    column = _single_columns(forest)
    nodes: dict[tuple[int, ...], int] = {}
    table: list[tuple[int, float, bool, int, int]] = []
    rows: dict[bytes, int] = {}
    roots = []
    for number, tree in enumerate(forest.trees):
        values = tree.value if column is None else tree.value[:, column[number] : column[number] + 1]
        roots.append(_numbered(tree, np.ascontiguousarray(values), nodes, table, rows, forest.merged))
    parts = list(zip(*table, strict=True)) or [(), (), (), (), ()]
    width = forest.columns if column is None else 1
    return Subtrees(
        np.array(parts[0], np.int32),
        np.array(parts[1], np.float32),
        np.array(parts[2], bool),
        np.array(parts[3], np.int32),
        np.array(parts[4], np.int32),
        np.array(roots, np.int32),
        np.frombuffer(b"".join(rows), np.float64).reshape(-1, width),
        column,
    )


def _numbered(
    tree: Tree,
    values: np.ndarray,
    nodes: dict[tuple[int, ...], int],
    table: list[tuple[int, float, bool, int, int]],
    rows: dict[bytes, int],
    merged: bool,
) -> int:
    """Add a tree's nodes to the tables, children first, and return the reference of its root."""
    tree = tree.trim() if (tree.depths < 0).any() else tree
    order = np.argsort(-tree.depths, kind="stable")
    bits = tree.threshold.view(np.int32)
    found = [0] * len(order)
    for node in order.tolist():
        if tree.left[node] == LEAF:
            found[node] = -1 - rows.setdefault(values[node].tobytes(), len(rows))
            continue
        left, right = found[tree.left[node]], found[tree.right[node]]
        own = (int(tree.feature[node]), int(bits[node]), int(tree.missing_right[node]), left, right)
        number = nodes.get(own) if merged else None
        if number is None:
            number = len(table)
            nodes[own] = number
            table.append((own[0], float(tree.threshold[node]), bool(own[2]), left, right))
        found[node] = number
    return found[0]


def _single_columns(forest: Forest) -> np.ndarray | None:
    """Return the column that each tree adds to, or None if some tree adds to several."""
    if forest.columns == 1:
        return None
    used = [np.flatnonzero((tree.value[tree.is_leaf] != 0).any(axis=0)) for tree in forest.trees]
    if any(len(columns) > 1 for columns in used):
        return None
    return np.array([columns[0] if len(columns) else 0 for columns in used], np.int32)

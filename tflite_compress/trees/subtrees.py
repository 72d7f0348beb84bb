"""A forest as one graph of splits: what both the ``.tflite`` and the C code are written from.

Leaves with equal numbers share one row of a table; with ``Forest.merged`` equal subtrees share their nodes,
as in reduced decision diagrams (Bryant, "Graph-Based Algorithms for Boolean Function Manipulation", 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.trees.forest import LEAF, Forest, Tree

SPLIT_BYTES = 6  # feature and threshold in one each, children in two each


@dataclass(frozen=True, eq=False)
class Subtrees:
    """Splits numbered from 0, children before parents; leaf row ``r`` is referred to as ``-1 - r``.

    Attributes:
        feature: int32, shape (splits,).
        threshold: float32.
        missing_right: bool.
        left, right: Numbers of splits, or of leaf rows as above: int32.
        roots: One reference for each tree, int32.
        rows: Numbers of the leaves, float64: shape (rows, columns), or (rows, 1) with :attr:`column`.
        column: The one output each tree adds to, int32, shape (trees,); None where leaves have all columns.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_right: np.ndarray
    left: np.ndarray
    right: np.ndarray
    roots: np.ndarray
    rows: np.ndarray
    column: np.ndarray | None


def about_bytes(parts: Subtrees) -> int:
    """Bytes of tables with int8 thresholds and leaves: to compare forests that are not quantized yet."""
    return len(parts.feature) * SPLIT_BYTES + parts.rows.size


def subtrees(forest: Forest) -> Subtrees:
    """Number a forest's splits and leaves."""
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
    """Enter a tree's nodes, children first; gives the reference of its root."""
    tree = tree.trimmed() if (tree.depths < 0).any() else tree
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
    """The column each tree adds to, where each adds to one only."""
    if forest.columns == 1:
        return None
    used = [np.flatnonzero((tree.value[tree.is_leaf] != 0).any(axis=0)) for tree in forest.trees]
    if any(len(columns) > 1 for columns in used):
        return None
    return np.array([columns[0] if len(columns) else 0 for columns in used], np.int32)

"""The matrix form: all splits at once, and one matrix for all trees; see ``export``.

Trees are filled up to one depth d. With ``r`` the decisions of a tree's 2^d - 1 splits (1 for right), leaf
``l`` is reached where every split on its way decides as it must: where the sum of +1 for each right turn it
wants and -1 for each left turn it wants that went right equals the number of right turns. Any other leaf
falls short by at least 1, so that ``relu(W r + 1 - rights)`` is 1 for the leaf reached and 0 for all
others.
"""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.subtrees import Subtrees
from tflite_compress.trees.tables import Widths, cast, columns_of, stored

_RELU = 1  # ActivationFunctionType in schema.fbs


def leaf_sums(graph: Assembly, x: int, forest: Forest, parts: Subtrees, widths: Widths) -> int:
    """Add the operators; gives the sums of leaves, float32 (batch, columns)."""
    batch, trees, depth = widths.batch, len(forest.trees), forest.depth
    splits, leaves = 2**depth - 1, 2**depth
    column, threshold, values = filled_up(forest, parts, widths)
    cells = (batch, trees * splits)
    options = graph.options("GatherOptions", axis=1)
    at = graph.constant("columns", column.reshape(-1))
    seen = graph.operator("GATHER", [x, at], "value", cells, "float32", options)
    kept = stored(threshold.reshape(1, -1), widths.micro, forest.grid is not None)
    limit = graph.constant("threshold", kept)
    limit = cast(graph, limit, "threshold_float32", kept.shape, kept.dtype.name, "float32")
    right = graph.operator("GREATER", [seen, limit], "right", cells, "bool", graph.options("GreaterOptions"))
    decided = cast(graph, right, "decisions", cells, "bool", "float32")
    by_tree = graph.reshaped(decided, "by_tree", (batch * trees, splits))
    turns, rights = paths(depth)
    weights = graph.constant("paths", turns)
    bias = graph.constant("shortfall", 1 - rights)
    options = graph.options("FullyConnectedOptions", fusedActivationFunction=_RELU)
    inputs = [by_tree, weights, bias]
    reached = graph.operator(
        "FULLY_CONNECTED", inputs, "reached", (batch * trees, leaves), "float32", options
    )
    joined = graph.reshaped(reached, "all_leaves", (batch, trees * leaves))
    rows = stored(values.reshape(-1, forest.columns).T, widths.micro, forest.leaf_step is not None)
    table = graph.constant("leaves", np.ascontiguousarray(rows))
    table = cast(graph, table, "leaves_float32", rows.shape, rows.dtype.name, "float32")
    options = graph.options("FullyConnectedOptions")
    inputs = [joined, table]
    return graph.operator(
        "FULLY_CONNECTED", [*inputs, -1], "sum", (batch, forest.columns), "float32", options
    )


def matrix_bytes(forest: Forest) -> int:
    """Bytes of the tables."""
    trees, leaves = len(forest.trees), 1 << forest.depth
    split_bytes = 4 + (1 if forest.grid is not None else 4)
    leaf_bytes = 1 if forest.leaf_step is not None else 4
    own = (leaves - 1) * split_bytes + leaves * forest.columns * leaf_bytes
    return trees * own + 4 * (leaves - 1) * leaves


def paths(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """What each leaf of a full tree wants of each split, and how many right turns lead to it.

    Returns:
        float32 (leaves, splits) with +1 for right, -1 for left, 0 for splits elsewhere; float32 (leaves,).
        Splits are numbered breadth first.
    """
    leaves = 2**depth
    turns = np.zeros((leaves, leaves - 1), np.float32)
    for leaf in range(leaves):
        node = 0
        for level in reversed(range(depth)):
            right = leaf >> level & 1
            turns[leaf, node] = 1 if right else -1
            node = 2 * node + 1 + right
    return turns, (turns > 0).sum(axis=1).astype(np.float32)


def filled_up(forest: Forest, parts: Subtrees, widths: Widths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All trees as full ones; below a leaf that comes early everything goes left.

    Returns:
        Columns int32 and thresholds float32 (trees, splits), leaves float64 (trees, leaves, columns).
    """
    depth, trees = forest.depth, len(forest.trees)
    splits = 2**depth - 1
    most = np.float32(np.inf if forest.grid is None else np.iinfo(forest.grid.precision).max)
    columns = columns_of(forest, parts, widths)
    column = np.zeros((trees, splits), np.int32)
    threshold = np.full((trees, splits), most, np.float32)
    values = np.zeros((trees, splits + 1, forest.columns))
    for tree, root in enumerate(parts.roots.tolist()):
        places = [(root, 0, 0)]
        while places:
            reference, node, level = places.pop()
            if reference >= 0:
                column[tree, node], threshold[tree, node] = columns[reference], parts.threshold[reference]
                places.append((int(parts.left[reference]), 2 * node + 1, level + 1))
                places.append((int(parts.right[reference]), 2 * node + 2, level + 1))
                continue
            for _ in range(level, depth):
                node = 2 * node + 1
            row = parts.rows[-1 - reference]
            if parts.column is None:
                values[tree, node - splits] = row
            else:
                values[tree, node - splits, parts.column[tree]] = row[0]
    return column, threshold, values

"""The matrix form of an exported forest: all splits at once, one matrix for all trees; see ``export``.

Every tree is extended to a full tree of depth d. ``r`` holds the decisions of a tree's 2^d - 1 splits (1 for
right). Row ``l`` of ``W`` has +1 for each right turn and -1 for each left turn on the path to leaf ``l``, and
``rights`` counts its right turns. ``W r - rights`` is 0 for the leaf that is reached and at most -1 for all
others, so ``relu(W r + 1 - rights)`` is 1 for the leaf that is reached and 0 for all others.
"""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.subtrees import Subtrees
from tflite_compress.trees.tables import Widths, cast_tensor, split_columns, store_compactly

_RELU = 1  # ActivationFunctionType in schema.fbs


def leaf_sums(graph: Assembly, x: int, forest: Forest, parts: Subtrees, widths: Widths) -> int:
    """Add the operators of the matrix form and return the sums of leaves, float32 (batch, columns)."""
    batch, trees, depth = widths.batch, len(forest.trees), forest.depth
    splits, leaves = 2**depth - 1, 2**depth
    column, threshold, values = full_trees(forest, parts, widths)
    cells = (batch, trees * splits)
    options = graph.options("GatherOptions", axis=1)
    at = graph.constant("columns", column.reshape(-1))
    seen = graph.operator("GATHER", [x, at], "value", cells, "float32", options)
    kept = store_compactly(threshold.reshape(1, -1), widths.micro, forest.grid is not None)
    limit = graph.constant("threshold", kept)
    limit = cast_tensor(graph, limit, "threshold_float32", kept.shape, kept.dtype.name, "float32")
    right = graph.operator("GREATER", [seen, limit], "right", cells, "bool", graph.options("GreaterOptions"))
    decided = cast_tensor(graph, right, "decisions", cells, "bool", "float32")
    by_tree = graph.reshaped(decided, "by_tree", (batch * trees, splits))
    turns, rights = leaf_paths(depth)
    weights = graph.constant("paths", turns)
    bias = graph.constant("shortfall", 1 - rights)
    options = graph.options("FullyConnectedOptions", fusedActivationFunction=_RELU)
    inputs = [by_tree, weights, bias]
    reached = graph.operator(
        "FULLY_CONNECTED", inputs, "reached", (batch * trees, leaves), "float32", options
    )
    joined = graph.reshaped(reached, "all_leaves", (batch, trees * leaves))
    rows = store_compactly(values.reshape(-1, forest.columns).T, widths.micro, forest.leaf_step is not None)
    table = graph.constant("leaves", np.ascontiguousarray(rows))
    table = cast_tensor(graph, table, "leaves_float32", rows.shape, rows.dtype.name, "float32")
    options = graph.options("FullyConnectedOptions")
    inputs = [joined, table]
    return graph.operator(
        "FULLY_CONNECTED", [*inputs, -1], "sum", (batch, forest.columns), "float32", options
    )


def matrix_bytes(forest: Forest) -> int:
    """Return the bytes of the tables in the matrix form."""
    trees, leaves = len(forest.trees), 1 << forest.depth
    split_bytes = 4 + (1 if forest.grid is not None else 4)
    leaf_bytes = 1 if forest.leaf_step is not None else 4
    own = (leaves - 1) * split_bytes + leaves * forest.columns * leaf_bytes
    return trees * own + 4 * (leaves - 1) * leaves


def leaf_paths(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the turns on the path to each leaf of a full tree, and the number of right turns.

    Returns:
        float32 (leaves, splits) with +1 for right, -1 for left, 0 for splits off the path; float32 (leaves,).
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


def full_trees(forest: Forest, parts: Subtrees, widths: Widths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Extend all trees to full trees; the splits added below a leaf always go left.

    Returns:
        Columns int32 and thresholds float32 (trees, splits), leaves float64 (trees, leaves, columns).
    """
    depth, trees = forest.depth, len(forest.trees)
    splits = 2**depth - 1
    most = np.float32(np.inf if forest.grid is None else np.iinfo(forest.grid.precision).max)
    columns = split_columns(forest, parts, widths)
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

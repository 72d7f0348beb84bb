"""The traversal form of an exported forest: every tree descends one level per step; see ``export``.

The children of a split have consecutive slots, so a step is ``node = left[node] + (x[feature[node]] >
threshold[node])``. The first slots are the leaf rows. The slot of a leaf at another place never goes right
and leads to its row, so the last step returns the number of a leaf row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.subtrees import Subtrees
from tflite_compress.trees.tables import Widths, cast_tensor, split_columns, store_compactly


@dataclass(frozen=True, eq=False)
class Slots:
    """Tables of nodes, with the leaf rows first.

    Attributes:
        column, threshold, left: The tables of a step, shape (slots,).
        roots: Slot of each tree's root, shape (trees,).
    """

    column: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    roots: np.ndarray


def assign_slots(forest: Forest, parts: Subtrees, widths: Widths) -> Slots:
    """Give each pair of children two consecutive slots; equal pairs share them."""
    rows = len(parts.rows)
    columns = split_columns(forest, parts, widths)
    pairs: dict[tuple[int, int], int] = {}
    children = list(zip(parts.left.tolist(), parts.right.tolist(), strict=True))
    content: list[int] = [-1 - row for row in range(rows)]
    for pair in children:
        if pair not in pairs:
            pairs[pair] = len(content)
            content += pair
    root_slots: dict[int, int] = {}
    for root in parts.roots.tolist():
        if root >= 0 and root not in root_slots:
            root_slots[root] = len(content)
            content.append(root)
    references = np.array(content)
    split = references >= 0
    number = np.where(split, references, 0)
    starts = np.array([pairs[pair] for pair in children] or [0])
    most = np.float32(np.inf if forest.grid is None else np.iinfo(forest.grid.precision).max)
    empty = len(columns) == 0
    return Slots(
        np.where(split, 0 if empty else columns[number], 0),
        np.where(split, 0 if empty else parts.threshold[number], most),
        np.where(split, starts[number], -1 - references),
        np.array([root_slots[r] if r >= 0 else -1 - r for r in parts.roots.tolist()], np.int32),
    )


@dataclass(frozen=True, eq=False)
class _Tables:
    """Tables of slots in a graph.

    Attributes:
        graph: The graph.
        arrays: The tables by name: ``column``, ``threshold`` and ``left``.
        tensors: Number of the constant tensor of each table.
        shape: Shape of what is looked up: (batch, trees).
    """

    graph: Assembly
    arrays: dict[str, np.ndarray]
    tensors: dict[str, int]
    shape: tuple[int, int]

    def look_up(self, name: str, at: int, level: int, wanted: str) -> int:
        """Add the lookup of a table at the slots in tensor ``at``. Return the result, cast to ``wanted``."""
        kind = self.arrays[name].dtype.name
        options = self.graph.options("GatherOptions", axis=0)
        inputs = [self.tensors[name], at]
        found = self.graph.operator("GATHER", inputs, f"{name}_{level}", self.shape, kind, options)
        return cast_tensor(self.graph, found, f"{name}_{level}_{wanted}", self.shape, kind, wanted)


def tree_sums(graph: Assembly, x: int, forest: Forest, parts: Subtrees, widths: Widths) -> int:
    """Add the operators of the traversal form and return the sums of leaves, float32 (batch, columns)."""
    roots, parts = _grouped(forest, parts)
    slots = assign_slots(forest, parts, widths)
    trees, batch = len(roots), widths.batch
    wide = forest.features * (2 if widths.missing and forest.sends_missing_right else 1)
    flat = graph.reshaped(x, "x_flat", (batch * wide,))
    arrays = _slot_tables(forest, slots, widths)
    numbers = {name: graph.constant(name, values) for name, values in arrays.items()}
    tables = _Tables(graph, arrays, numbers, (batch, trees))
    offsets = np.repeat(np.arange(batch, dtype=np.int32)[:, np.newaxis] * wide, trees, axis=1)
    node = graph.constant("roots", np.tile(slots.roots, (batch, 1)).astype(np.int32))
    for level in range(forest.depth):
        node = _descend(tables, flat, node, level, offsets, "float32" if widths.micro else "int32")
    leaf = tables.look_up("left", node, forest.depth, "int32")
    return _summed(graph, leaf, forest, parts, widths, trees)


def _descend(tables: _Tables, flat: int, node: int, level: int, offsets: np.ndarray, node_type: str) -> int:
    """Add the operators that go from a node of each tree to its child, and return the child's tensor."""
    graph, shape = tables.graph, tables.shape
    column = tables.look_up("column", node, level, "int32")
    if shape[0] > 1:
        own = graph.constant("offsets", offsets)
        options = graph.options("AddOptions")
        column = graph.operator("ADD", [column, own], f"cell_{level}", shape, "int32", options)
    options = graph.options("GatherOptions", axis=0)
    value = graph.operator("GATHER", [flat, column], f"value_{level}", shape, "float32", options)
    threshold = tables.look_up("threshold", node, level, "float32")
    options = graph.options("GreaterOptions")
    right = graph.operator("GREATER", [value, threshold], f"right_{level}", shape, "bool", options)
    step = cast_tensor(graph, right, f"step_{level}", shape, "bool", node_type)
    left = tables.look_up("left", node, level, node_type)
    options = graph.options("AddOptions")
    moved = graph.operator("ADD", [left, step], f"next_{level}", shape, node_type, options)
    return cast_tensor(graph, moved, f"node_{level}", shape, node_type, "int32")


def _slot_tables(forest: Forest, slots: Slots, widths: Widths) -> dict[str, np.ndarray]:
    """Return the tables of slots in the types that they are stored in."""
    left = store_compactly(slots.left, widths.micro, True)
    return {
        "column": store_compactly(slots.column, widths.micro, True),
        "threshold": store_compactly(slots.threshold, widths.micro, forest.grid is not None),
        "left": left.astype(np.float32) if widths.micro else left,
    }


def traversal_bytes(forest: Forest, parts: Subtrees, widths: Widths) -> int:
    """Return the bytes of the tables in the traversal form."""
    slots = _slot_tables(forest, assign_slots(forest, parts, widths), widths)
    rows = store_compactly(parts.rows, widths.micro, forest.leaf_step is not None)
    return rows.nbytes + sum(array.nbytes for array in slots.values())


def _grouped(forest: Forest, parts: Subtrees) -> tuple[np.ndarray, Subtrees]:
    """Order roots by the column their trees add to, with leaves of 0 so that all columns have as many."""
    if parts.column is None:
        return parts.roots, parts
    members = [parts.roots[parts.column == column] for column in range(forest.columns)]
    most = max(len(m) for m in members)
    rows, empty = parts.rows, np.flatnonzero((parts.rows == 0).all(axis=1))
    if any(len(m) < most for m in members) and not len(empty):
        rows, empty = np.concatenate([rows, np.zeros((1, 1))]), np.array([len(rows)])
    filled = [
        np.concatenate([m, np.full(most - len(m), -1 - (empty[0] if len(empty) else 0))]) for m in members
    ]
    roots = np.concatenate(filled).astype(np.int32)
    return roots, replace(parts, roots=roots, rows=rows)


def _summed(graph: Assembly, leaf: int, forest: Forest, parts: Subtrees, widths: Widths, trees: int) -> int:
    """Look up the leaf values and add them over the trees."""
    rows = store_compactly(parts.rows, widths.micro, forest.leaf_step is not None)
    shape = (widths.batch, trees, rows.shape[1])
    options = graph.options("GatherOptions", axis=0)
    found = graph.operator(
        "GATHER", [graph.constant("leaves", rows), leaf], "leaf", shape, rows.dtype.name, options
    )
    values = cast_tensor(graph, found, "leaf_float32", shape, rows.dtype.name, "float32")
    axis = 1
    if parts.column is not None:
        values = graph.reshaped(
            values, "by_column_flat", (widths.batch, forest.columns, trees // forest.columns)
        )
        axis = 2
    over = graph.constant("axis", np.array([axis], np.int32))
    options = graph.options("ReducerOptions", keepDims=False)
    return graph.operator("SUM", [values, over], "sum", (widths.batch, forest.columns), "float32", options)

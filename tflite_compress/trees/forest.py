"""A forest: decision trees whose leaf values are summed, in one form for all libraries.

Every split sends a sample right if ``x > threshold`` in float32. Thresholds of all libraries are converted to
this form. For a float32 ``x``, ``x <= t`` with a float64 ``t`` equals the same with the largest float32 not
above ``t``, and ``x < t`` equals ``x <= t'`` with the next smaller float32 ``t'``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tflite_compress.support.notes import Note

Link = Literal["identity", "softmax", "sigmoid", "exp"]
Task = Literal["classification", "regression"]
Precision = Literal["float32", "int16", "int8"]
MAX_FLOAT32 = float(np.finfo(np.float32).max)
LEAF = -1
MAX_DEPTH = 256
MAX_FEATURES = 1_000_000
BLOCK_CELLS = 4_000_000  # samples times trees per block


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree; node 0 is its root.

    Attributes:
        feature: Column that each node compares, int32, shape (nodes,).
        threshold: float32, shape (nodes,); samples above it go right.
        left, right: Indices of the children, int32, shape (nodes,); -1 in leaves.
        missing_right: True if a sample with NaN goes right, bool, shape (nodes,).
        value: Value of each leaf, float64, shape (nodes, columns); unused in splits.
        cover: Training data that reached each node, float64, shape (nodes,): a count or a sum of weights.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_right: np.ndarray
    value: np.ndarray
    cover: np.ndarray

    @property
    def is_leaf(self) -> np.ndarray:
        """True for leaves, bool, shape (nodes,)."""
        return np.asarray(self.left == LEAF)

    @functools.cached_property
    def depths(self) -> np.ndarray:
        """Distance of each node from the root, int32, shape (nodes,); -1 for unreachable nodes."""
        found = np.full(len(self.left), -1, np.int32)
        found[0] = 0
        front = np.array([0])
        while len(front := front[self.left[front] != LEAF]):
            children = np.concatenate([self.left[front], self.right[front]])
            found[children] = np.tile(found[front] + 1, 2)
            front = children
        return found

    @property
    def depth(self) -> int:
        """Maximum number of splits on a path to a leaf."""
        return int(self.depths.max())

    def trim(self) -> Tree:
        """Return the tree without unreachable nodes, in breadth-first order."""
        order = np.flatnonzero(self.depths >= 0)
        order = order[np.argsort(self.depths[order], kind="stable")]
        number = np.full(len(self.left), LEAF, np.int32)
        number[order] = np.arange(len(order), dtype=np.int32)
        children = [
            np.where(side[order] == LEAF, LEAF, number[side[order]]) for side in (self.left, self.right)
        ]
        return Tree(
            self.feature[order],
            self.threshold[order],
            children[0].astype(np.int32),
            children[1].astype(np.int32),
            self.missing_right[order],
            self.value[order],
            self.cover[order],
        )


@dataclass(frozen=True, eq=False)
class Grid:
    """The integer scale of each feature's quantized thresholds.

    A sample's feature becomes ``(x - low) * per_step``, computed in float32 in this order. It is limited to
    the values of the integer type except the smallest, which represents NaN.

    Attributes:
        low: Offset of each feature, float32, shape (features,).
        per_step: Grid steps per unit of each feature, float32, shape (features,).
        precision: Type of the thresholds.
    """

    low: np.ndarray
    per_step: np.ndarray
    precision: Precision


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees, and how the sum of their leaves becomes a prediction: ``link(sum * scale + base)``.

    Attributes:
        trees: The trees.
        features: Columns of a sample.
        task: Classification or regression.
        scale: Factor of the sum of leaves, for example 1 / trees in a random forest.
        base: Added after scaling, float64, shape (columns,).
        link: Function applied last; ``sigmoid`` returns the probabilities of two classes for one column.
        classes: Labels of the classes in the order of the outputs; empty for regression.
        refuses_nan: True if the library rejects samples with missing values.
        grid: Scale of the thresholds if they are quantized, else None.
        leaf_step: Value of 1 in quantized leaves; None if leaves are not quantized.
        leaf_precision: Type of the leaves.
        merged: True if equal subtrees are stored once.
        notes: Facts about reading the forest that the report lists.
    """

    trees: tuple[Tree, ...]
    features: int
    task: Task
    scale: float
    base: np.ndarray
    link: Link = "identity"
    classes: tuple[object, ...] = ()
    refuses_nan: bool = False
    grid: Grid | None = None
    leaf_step: float | None = None
    leaf_precision: Precision = "float32"
    merged: bool = False
    notes: tuple[Note, ...] = ()

    @property
    def columns(self) -> int:
        """Values per leaf."""
        return len(self.base)

    @property
    def outputs(self) -> int:
        """Values per prediction."""
        return 2 if self.link == "sigmoid" else self.columns

    @property
    def depth(self) -> int:
        """Maximum number of splits on a path to a leaf."""
        return max((tree.depth for tree in self.trees), default=0)

    @property
    def nodes(self) -> int:
        """Number of splits and leaves in all trees."""
        return sum(len(tree.left) for tree in self.trees)

    @property
    def leaves(self) -> int:
        """Number of leaves in all trees."""
        return sum(int(tree.is_leaf.sum()) for tree in self.trees)

    @property
    def sends_missing_right(self) -> bool:
        """True if some split sends samples with NaN right."""
        return any(bool((tree.missing_right & ~tree.is_leaf).any()) for tree in self.trees)

    @functools.cached_property
    def joined(self) -> tuple[Tree, np.ndarray]:
        """All trees in one table, and the indices of their roots. The children of a leaf are the leaf."""
        starts = np.cumsum([0, *(len(tree.left) for tree in self.trees)])[:-1].astype(np.int32)

        def children(tree: Tree, start: int, side: np.ndarray) -> np.ndarray:
            own = np.arange(len(side), dtype=np.int32)
            return np.where(side == LEAF, own, side).astype(np.int32) + start

        pairs = list(zip(self.trees, starts.tolist(), strict=True))
        table = Tree(
            np.concatenate([t.feature for t in self.trees]),
            np.concatenate([np.where(t.is_leaf, np.float32(np.inf), t.threshold) for t in self.trees]),
            np.concatenate([children(t, s, t.left) for t, s in pairs]),
            np.concatenate([children(t, s, t.right) for t, s in pairs]),
            np.concatenate([t.missing_right & ~t.is_leaf for t in self.trees]),
            np.concatenate([t.value for t in self.trees]),
            np.concatenate([t.cover for t in self.trees]),
        )
        return table, starts

    def scale_to_grid(self, x: np.ndarray) -> np.ndarray:
        """Scale samples to the grid, if there is one: float32, shape (samples, features)."""
        x = np.asarray(x, np.float32)
        if self.grid is None:
            return x
        info = np.iinfo(self.grid.precision)
        placed = (x - self.grid.low) * self.grid.per_step
        return np.asarray(np.clip(placed, info.min + 1, info.max))

    def find_leaves(self, x: np.ndarray) -> np.ndarray:
        """Return each sample's leaf in each tree as rows of :attr:`joined`, int32, shape (samples, trees)."""
        table, roots = self.joined
        x = self.scale_to_grid(x)
        missing = np.isnan(x)
        any_missing = bool(missing.any())
        where = np.tile(roots, (len(x), 1))
        rows = np.arange(len(x))[:, np.newaxis]
        for _ in range(self.depth):
            feature = table.feature[where]
            right = x[rows, feature] > table.threshold[where]
            if any_missing:
                right |= missing[rows, feature] & table.missing_right[where]
            where = np.where(right, table.right[where], table.left[where])
        return where

    def tree_values(self, x: np.ndarray) -> np.ndarray:
        """Return each tree's leaf values before scaling, float64, shape (samples, trees, columns)."""
        values = self.joined[0].value[self.find_leaves(x)]
        return np.asarray(values if self.leaf_step is None else values * self.leaf_step)

    def predict_raw(self, x: np.ndarray) -> np.ndarray:
        """Return predictions before the link, float64, shape (samples, columns)."""
        values = self.joined[0].value
        parts = [values[self.find_leaves(x[rows])].sum(axis=1) for rows in self._blocks(len(x))]
        # Quantized leaves are summed as integers and scaled afterwards, so that equal sums stay equal.
        return np.asarray(np.concatenate(parts) * (self.scale * (self.leaf_step or 1.0)) + self.base)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return class probabilities or predicted values, float64, shape (samples, outputs)."""
        return apply_link(self.predict_raw(x), self.link)

    def with_trees(self, trees: tuple[Tree, ...]) -> Forest:
        """Return the forest with other trees."""
        return replace(self, trees=trees)

    def _blocks(self, samples: int) -> Iterator[slice]:
        step = max(1, BLOCK_CELLS // max(1, len(self.trees) * self.columns))
        yield from (slice(start, start + step) for start in range(0, samples, step))


def require_valid_tree(tree: Tree, features: int) -> Tree:
    """Return the tree if its indices and numbers are valid; libraries use them unchecked.

    Args:
        tree: The tree.
        features: Columns of a sample.

    Raises:
        ValueError: A child, a column or a number is not valid, or the tree is deeper than 256 levels.
    """
    count, split = len(tree.left), ~tree.is_leaf
    children = np.concatenate([tree.left[split], tree.right[split]])
    if not count or (children < 1).any() or (children >= count).any():
        raise ValueError("a node's child is not in the tree")
    if len(np.unique(children)) != len(children):
        raise ValueError("two nodes share a child")
    if (tree.feature < 0).any() or (tree.feature >= features).any():
        raise ValueError("a split reads a column that does not exist")
    if not np.isfinite(tree.threshold[split]).all() or not np.isfinite(tree.value[~split]).all():
        raise ValueError("a threshold or a leaf is not a finite number")
    if tree.depth > MAX_DEPTH:
        raise ValueError(f"{tree.depth} levels are more than {MAX_DEPTH}; train with max_depth")
    return tree


def apply_link(raw: np.ndarray, link: Link) -> np.ndarray:
    """Apply a link function to sums of leaves, shape (samples, columns)."""
    if link == "softmax":
        grown = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))
    if link == "sigmoid":
        return apply_link(np.concatenate([np.zeros_like(raw), raw], axis=1), "softmax")
    return np.exp(raw) if link == "exp" else raw


def round_down_to_float32(thresholds: np.ndarray) -> np.ndarray:
    """Return the largest float32 not above each float64; ``x <= t`` stays the same for a float32 ``x``."""
    wide = np.clip(np.asarray(thresholds, np.float64), -MAX_FLOAT32, MAX_FLOAT32)
    with np.errstate(all="ignore"):  # denormal numbers; other libraries change numpy's error state
        near = wide.astype(np.float32)
        return np.where(near > wide, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


def next_below_float32(thresholds: np.ndarray) -> np.ndarray:
    """Return the largest float32 below each float32, which turns ``x < t`` into ``x <= t'``."""
    with np.errstate(all="ignore"):
        narrow = np.nextafter(np.asarray(thresholds, np.float32), np.float32(-np.inf))
    return np.clip(narrow, -MAX_FLOAT32, MAX_FLOAT32).astype(np.float32)

"""A forest: decision trees whose leaves are added up, whatever library trained them.

Every split sends a sample to the right where ``x > threshold``, in float32. Thresholds of other libraries
are brought to that: ``x <= t`` with a float64 ``t`` is the same as with the largest float32 not above it, and
``x < t`` the same as ``x <= t'`` with the next smaller float32, as long as ``x`` is float32.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Link = Literal["identity", "softmax", "sigmoid", "exp"]
Task = Literal["classification", "regression"]
Precision = Literal["float32", "int16", "int8"]
LARGEST = float(np.finfo(np.float32).max)
LEAF = -1
MAX_DEPTH = 256
MAX_FEATURES = 1_000_000
BLOCK_CELLS = 4_000_000  # samples times trees at a time


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree; node 0 is its root.

    Attributes:
        feature: Column each node looks at, int32, shape (nodes,).
        threshold: float32; samples above it go right.
        left, right: Numbers of the children, int32; -1 in leaves.
        missing_right: Where a sample with NaN goes right, bool.
        value: What a leaf adds, float64, shape (nodes, columns); not used elsewhere.
        cover: How much training data reached each node, float64: a count or a sum of weights.
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
        """bool, shape (nodes,)."""
        return np.asarray(self.left == LEAF)

    @functools.cached_property
    def depths(self) -> np.ndarray:
        """Distance of each node from the root; -1 for nodes that no longer hang on it."""
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
        """Most splits on the way to a leaf."""
        return int(self.depths.max())

    def trimmed(self) -> Tree:
        """The same without nodes that no longer hang on the root, breadth first."""
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
    """Where thresholds lie once quantized: whole numbers on each feature's own scale.

    A sample's feature becomes ``(x - low) * per_step``, computed in float32 in this order, and at least the
    smallest number of the type but one, which stands for NaN, and at most the largest.

    Attributes:
        low, per_step: float32, shape (features,).
        precision: Type of the thresholds.
    """

    low: np.ndarray
    per_step: np.ndarray
    precision: Precision


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees with what becomes of the sum of their leaves.

    Attributes:
        trees: The trees.
        features: Number of columns of a sample.
        task: What it predicts.
        scale: The sum of leaves is multiplied by it: 1 / trees where they vote.
        base: And then this is added, float64, shape (columns,).
        link: And then this is applied: ``sigmoid`` makes two probabilities of one number.
        classes: Labels of the classes, in the order of the outputs.
        refuses_nan: The library that made it does not take samples with missing values.
        grid: Set where thresholds are quantized: they are whole numbers then.
        leaf_step: Set where leaves are quantized: leaves are whole numbers, and this is worth one.
        leaf_numeric: Type of the leaves.
        merged: Equal subtrees are to be stored once.
        notes: What a user should know about how it was read.
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
    leaf_numeric: Precision = "float32"
    merged: bool = False
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Numbers in a leaf."""
        return len(self.base)

    @property
    def outputs(self) -> int:
        """Numbers in a prediction."""
        return 2 if self.link == "sigmoid" else self.columns

    @property
    def depth(self) -> int:
        """Most splits on the way to a leaf."""
        return max((tree.depth for tree in self.trees), default=0)

    @property
    def nodes(self) -> int:
        """Splits and leaves of all trees."""
        return sum(len(tree.left) for tree in self.trees)

    @property
    def leaves(self) -> int:
        """Leaves of all trees."""
        return sum(int(tree.is_leaf.sum()) for tree in self.trees)

    @property
    def sends_missing_right(self) -> bool:
        """True where some split sends samples with NaN to the right."""
        return any(bool((tree.missing_right & ~tree.is_leaf).any()) for tree in self.trees)

    @functools.cached_property
    def joined(self) -> tuple[Tree, np.ndarray]:
        """All trees in one table with the numbers of their roots; leaves lead to themselves."""
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

    def on_grid(self, x: np.ndarray) -> np.ndarray:
        """Samples as thresholds see them, float32, shape (samples, features)."""
        x = np.asarray(x, np.float32)
        if self.grid is None:
            return x
        info = np.iinfo(self.grid.precision)
        placed = (x - self.grid.low) * self.grid.per_step
        return np.asarray(np.clip(placed, info.min + 1, info.max))

    def reached(self, x: np.ndarray) -> np.ndarray:
        """The leaf each sample reaches in each tree, as rows of :attr:`joined`, int32 (samples, trees)."""
        table, roots = self.joined
        x = self.on_grid(x)
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
        """What each tree adds, before :attr:`scale`: float64, shape (samples, trees, columns)."""
        values = self.joined[0].value[self.reached(x)]
        return np.asarray(values if self.leaf_step is None else values * self.leaf_step)

    def raw(self, x: np.ndarray) -> np.ndarray:
        """Sums before the link, float64, shape (samples, columns)."""
        values = self.joined[0].value
        parts = [values[self.reached(x[rows])].sum(axis=1) for rows in self._blocks(len(x))]
        # Whole numbers are summed as such, so that equal sums stay equal, as they do in integers.
        return np.asarray(np.concatenate(parts) * (self.scale * (self.leaf_step or 1.0)) + self.base)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, or the predicted number: float64, shape (samples, outputs)."""
        return linked(self.raw(x), self.link)

    def with_trees(self, trees: tuple[Tree, ...]) -> Forest:
        """The same with other trees."""
        return replace(self, trees=trees)

    def _blocks(self, samples: int) -> Iterator[slice]:
        step = max(1, BLOCK_CELLS // max(1, len(self.trees) * self.columns))
        yield from (slice(start, start + step) for start in range(0, samples, step))


def require_sound(tree: Tree, features: int) -> Tree:
    """Give the tree back if it is one: libraries follow children and columns without looking.

    Raises:
        ValueError: It is not; says how.
    """
    count, split = len(tree.left), ~tree.is_leaf
    children = np.concatenate([tree.left[split], tree.right[split]])
    if not count or (children < 1).any() or (children >= count).any():
        raise ValueError("a node's child is not in the tree")
    if len(np.unique(children)) != len(children):
        raise ValueError("two nodes share a child")
    if (tree.feature < 0).any() or (tree.feature >= features).any():
        raise ValueError("a split looks at a column that is not there")
    if not np.isfinite(tree.threshold[split]).all() or not np.isfinite(tree.value[~split]).all():
        raise ValueError("a threshold or a leaf is not a finite number")
    if tree.depth > MAX_DEPTH:
        raise ValueError(f"{tree.depth} levels are more than {MAX_DEPTH}; train with max_depth")
    return tree


def linked(raw: np.ndarray, link: Link) -> np.ndarray:
    """Apply a link to sums of leaves, shape (samples, columns)."""
    if link == "softmax":
        grown = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))
    if link == "sigmoid":
        return linked(np.concatenate([np.zeros_like(raw), raw], axis=1), "softmax")
    return np.exp(raw) if link == "exp" else raw


def not_above(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each float64: ``x <= t`` is the same for every float32 ``x``."""
    wide = np.clip(np.asarray(thresholds, np.float64), -LARGEST, LARGEST)
    with np.errstate(all="ignore"):  # of numbers near 0, whatever other libraries have set
        near = wide.astype(np.float32)
        return np.where(near > wide, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


def below(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 below each float32: turns ``x < t`` into ``x <= t'``."""
    with np.errstate(all="ignore"):
        narrow = np.nextafter(np.asarray(thresholds, np.float32), np.float32(-np.inf))
    return np.clip(narrow, -LARGEST, LARGEST).astype(np.float32)

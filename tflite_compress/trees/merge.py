"""Remove redundant splits: their two subtrees are equal, or splits above have decided them already."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.trees.forest import LEAF, Forest, Tree, next_below_float32

Key = tuple[object, ...]


def merge_subtrees(forest: Forest) -> Forest:
    """Remove redundant splits and mark equal subtrees to be stored once. Predictions do not change."""
    keeps_missing = not forest.refuses_nan
    trees = tuple(_simplified(t, keeps_missing, _Bounds({}, {})) for t in forest.trees)
    return replace(forest, trees=trees, merged=True)


def limit_to_ranges(forest: Forest, lows: np.ndarray, highs: np.ndarray) -> Forest:
    """Remove the splits that separate no sample inside the features' ranges.

    Args:
        forest: The forest.
        lows: Minimum of each feature, float64, shape (features,); NaN if it is always missing.
        highs: Maximum of each feature.
    """
    known = np.flatnonzero(np.isfinite(lows) & np.isfinite(highs)).tolist()
    under = next_below_float32(lows)
    bounds = _Bounds({f: float(under[f]) for f in known}, {f: float(np.float32(highs[f])) for f in known})
    keeps_missing = not forest.refuses_nan
    return forest.with_trees(tuple(_simplified(t, keeps_missing, bounds) for t in forest.trees))


@dataclass(frozen=True)
class _Bounds:
    """Bounds of features at a node: each is above ``low`` and at most ``high``."""

    low: dict[int, float]
    high: dict[int, float]

    def narrowed(self, feature: int, threshold: float, right: bool) -> _Bounds:
        if right:
            return _Bounds({**self.low, feature: threshold}, self.high)
        return _Bounds(self.low, {**self.high, feature: threshold})

    def decided(self, feature: int, threshold: float) -> bool | None:
        """Return True if every sample here goes right, False if every one goes left, else None."""
        if self.low.get(feature, -np.inf) >= threshold:
            return True
        return False if self.high.get(feature, np.inf) <= threshold else None


def _simplified(tree: Tree, keeps_missing: bool, start: _Bounds) -> Tree:
    """Rebuild a tree; with ``keeps_missing``, a decided split stays if NaN goes the other way."""
    skip: dict[int, int] = {}  # removed split -> the child that replaces it
    visits: list[tuple[int, _Bounds]] = [(0, start)]
    order = []
    while visits:
        node, bounds = visits.pop()
        order.append(node)
        if tree.left[node] == LEAF:
            continue
        feature, threshold = int(tree.feature[node]), float(tree.threshold[node])
        decided = bounds.decided(feature, threshold)
        if decided is not None and not (keeps_missing and bool(tree.missing_right[node]) != decided):
            child = int(tree.right[node] if decided else tree.left[node])
            skip[node] = child
            visits.append((child, bounds))
            continue
        visits.append((int(tree.left[node]), bounds.narrowed(feature, threshold, False)))
        visits.append((int(tree.right[node]), bounds.narrowed(feature, threshold, True)))
    return _without(tree, skip, order)


def _without(tree: Tree, skip: dict[int, int], order: list[int]) -> Tree:
    """Remove the nodes in ``skip``, and splits whose two subtrees are equal."""
    keys: dict[Key, int] = {}
    name: dict[int, int] = {}  # equal subtrees have equal numbers
    place = dict(skip)
    left, right = tree.left.copy(), tree.right.copy()

    def resolved(node: int) -> int:
        while node in place:
            node = place[node]
        return node

    for node in reversed(order):
        if node in place:
            continue
        if tree.left[node] == LEAF:
            name[node] = keys.setdefault(("leaf", tree.value[node].tobytes()), len(keys))
            continue
        one, other = resolved(int(tree.left[node])), resolved(int(tree.right[node]))
        left[node], right[node] = one, other
        if name[one] == name[other]:
            place[node] = one
            continue
        own = (int(tree.feature[node]), float(tree.threshold[node]), bool(tree.missing_right[node]))
        name[node] = keys.setdefault((*own, name[one], name[other]), len(keys))
    root = resolved(0)
    fixed = replace(tree, left=left, right=right)
    return _rooted(fixed, root)


def _rooted(tree: Tree, root: int) -> Tree:
    """Return the subtree under a node as a tree."""
    if root:
        swap = np.arange(len(tree.left))
        swap[[0, root]] = root, 0
        moved = [
            getattr(tree, name)[swap] for name in ("feature", "threshold", "missing_right", "value", "cover")
        ]
        sides = []
        for side in (tree.left, tree.right):
            new = np.where(side == root, 0, np.where(side == 0, root, side))
            sides.append(np.where(side == LEAF, LEAF, new)[swap].astype(np.int32))
        feature, threshold, missing, value, cover = moved
        tree = Tree(feature, threshold, sides[0], sides[1], missing, value, cover)
    return tree.trim()

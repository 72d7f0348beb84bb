"""Taking out splits that decide nothing: both ways lead to the same, or the way there has decided already."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.trees.forest import LEAF, Forest, Tree, below

Key = tuple[object, ...]


def merged(forest: Forest) -> Forest:
    """The forest without such splits, its equal subtrees to be stored once; no answer changes."""
    keeps_missing = not forest.refuses_nan
    trees = tuple(_simplified(t, keeps_missing, _Bounds({}, {})) for t in forest.trees)
    return replace(forest, trees=trees, merged=True)


def within(forest: Forest, lows: np.ndarray, highs: np.ndarray) -> Forest:
    """The forest without splits that separate no sample inside a range.

    Args:
        forest: The forest.
        lows: Smallest value of each feature, float64; NaN where there is none.
        highs: Largest value of each feature, likewise.
    """
    known = np.flatnonzero(np.isfinite(lows) & np.isfinite(highs)).tolist()
    under = below(lows)
    bounds = _Bounds({f: float(under[f]) for f in known}, {f: float(np.float32(highs[f])) for f in known})
    keeps_missing = not forest.refuses_nan
    return forest.with_trees(tuple(_simplified(t, keeps_missing, bounds) for t in forest.trees))


@dataclass(frozen=True)
class _Bounds:
    """What the way to a node has decided: each feature is above ``low`` and at most ``high``."""

    low: dict[int, float]
    high: dict[int, float]

    def narrowed(self, feature: int, threshold: float, right: bool) -> _Bounds:
        if right:
            return _Bounds({**self.low, feature: threshold}, self.high)
        return _Bounds(self.low, {**self.high, feature: threshold})

    def decided(self, feature: int, threshold: float) -> bool | None:
        """True where every sample here goes right, False where left, None where it is open."""
        if self.low.get(feature, -np.inf) >= threshold:
            return True
        return False if self.high.get(feature, np.inf) <= threshold else None


def _simplified(tree: Tree, keeps_missing: bool, start: _Bounds) -> Tree:
    """Rebuild a tree; with ``keeps_missing`` a decided split stays if NaN would have gone the other way."""
    skip: dict[int, int] = {}  # a split that is left out, and the child in its place
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
    """The tree without the nodes in ``skip``, and without splits whose two subtrees are equal."""
    keys: dict[Key, int] = {}
    name: dict[int, int] = {}  # equal numbers for equal subtrees
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
    """The subtree under a node as a tree of its own."""
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
    return tree.trimmed()

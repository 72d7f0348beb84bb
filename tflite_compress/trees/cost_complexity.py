"""Minimal cost-complexity pruning of a whole forest.

The split whose removal adds the least squared error per removed leaf is removed first (Breiman et al.,
"Classification and Regression Trees", 1984, chapter 3).

The error of a collapsed split is the squared distance of its leaves' values from their mean, weighted by the
training data that reached each leaf. For regression trees this is the measure of the book. The files of all
libraries contain the needed values.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.trees.forest import LEAF, Tree


@dataclass(frozen=True, eq=False)
class PruningOrder:
    """At which complexity parameter each split of a tree is removed.

    Attributes:
        tree: The tree, with a value in every node: its prediction as a leaf.
        alpha: Added error per removed leaf at which a split becomes a leaf, float64 (nodes,); infinite in
            leaves.
    """

    tree: Tree
    alpha: np.ndarray

    def prune(self, alpha: float) -> Tree:
        """Return the tree without the splits whose alpha is at most ``alpha``."""
        leaf = self.alpha <= alpha
        tree = self.tree
        left, right = (np.where(leaf, LEAF, side).astype(np.int32) for side in (tree.left, tree.right))
        return replace(tree, left=left, right=right).trim()


def pruning_order(tree: Tree) -> PruningOrder:
    """Compute the order in which a tree's splits are removed."""
    count = len(tree.left)
    weight, total, error, leaves, parent = _sums(tree)
    means = total / weight[:, np.newaxis]
    own = np.maximum(error - (total**2).sum(axis=1) / weight, 0) / weight[0]  # error of the node as a leaf
    below = np.zeros(count)  # error of the leaves under it
    alpha = np.full(count, np.inf)
    split = ~tree.is_leaf
    version = np.zeros(count, np.int64)
    queue = [(own[n] / (leaves[n] - 1), n, 0) for n in np.flatnonzero(split).tolist()]
    heapq.heapify(queue)
    reached, gone = 0.0, ~split
    while queue:
        value, node, made = heapq.heappop(queue)
        if gone[node] or made != version[node]:
            continue  # an outdated entry: a split under it was collapsed
        reached = max(reached, float(value))
        stack = [node]
        while stack:
            inner = stack.pop()
            if not gone[inner]:
                alpha[inner], gone[inner] = reached, True
                stack += [int(tree.left[inner]), int(tree.right[inner])]
        saved, added = leaves[node] - 1, own[node] - below[node]
        while node != LEAF:
            leaves[node] -= saved
            below[node] += added
            node = int(parent[node])
            if node != LEAF:
                version[node] += 1
                rest = leaves[node] - saved - 1
                heapq.heappush(queue, ((own[node] - below[node] - added) / rest, node, int(version[node])))
    return PruningOrder(replace(tree, value=means), alpha)


def _sums(tree: Tree) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return weight, weighted sum, weighted squares and count of the leaves under each node, and parents."""
    leaf = tree.is_leaf
    weight = np.where(leaf, np.maximum(tree.cover, 1e-12), 0)
    total = weight[:, np.newaxis] * np.where(leaf[:, np.newaxis], tree.value, 0)
    error = weight * (np.where(leaf[:, np.newaxis], tree.value, 0) ** 2).sum(axis=1)
    leaves = leaf.astype(np.int64)
    parent = np.full(len(leaf), LEAF, np.int64)
    for node in np.argsort(-tree.depths, kind="stable").tolist():
        if leaf[node]:
            continue
        for child in (tree.left[node], tree.right[node]):
            weight[node] += weight[child]
            total[node] += total[child]
            error[node] += error[child]
            leaves[node] += leaves[child]
            parent[child] = node
    return weight, total, error, leaves, parent

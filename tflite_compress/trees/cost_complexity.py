"""Minimal cost-complexity pruning of a whole forest.

The split whose removal adds the least squared error per leaf saved is removed first (Breiman et al.,
"Classification and Regression Trees", 1984, chapter 3).

The error of a collapsed split is that of its leaves' numbers around their mean, weighted by how much training
data reached each: for a regression tree the book's own measure, and one that all libraries' files allow.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.trees.forest import LEAF, Tree


@dataclass(frozen=True, eq=False)
class Weakness:
    """When each node of a tree goes.

    Attributes:
        tree: The tree, with a number in every node: what it would predict as a leaf.
        alpha: Added error for each leaf saved, at which a split becomes a leaf; infinite in leaves.
    """

    tree: Tree
    alpha: np.ndarray

    def pruned(self, alpha: float) -> Tree:
        """The tree without the splits that go at ``alpha`` or before."""
        leaf = self.alpha <= alpha
        tree = self.tree
        left, right = (np.where(leaf, LEAF, side).astype(np.int32) for side in (tree.left, tree.right))
        return replace(tree, left=left, right=right).trimmed()


def weakness(tree: Tree) -> Weakness:
    """Work out the order in which a tree's splits go."""
    count = len(tree.left)
    weight, total, error, leaves, parent = _sums(tree)
    means = total / weight[:, np.newaxis]
    own = np.maximum(error - (total**2).sum(axis=1) / weight, 0) / weight[0]  # of the node as a leaf
    below = np.zeros(count)  # of the leaves under it, which grows as they are collapsed
    alpha = np.full(count, np.inf)
    split = ~tree.is_leaf
    version = np.zeros(count, np.int64)
    queue = [(own[n] / (leaves[n] - 1), n, 0) for n in np.flatnonzero(split).tolist()]
    heapq.heapify(queue)
    reached, gone = 0.0, ~split
    while queue:
        value, node, made = heapq.heappop(queue)
        if gone[node] or made != version[node]:
            continue  # an entry from before something under it was collapsed
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
    return Weakness(replace(tree, value=means), alpha)


def _sums(tree: Tree) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the leaves under each node: weight, weighted sum and squares, count; and each node's parent."""
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

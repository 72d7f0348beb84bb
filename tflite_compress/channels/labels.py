"""Channel labels: each channel a layer produces gets a number, and numbers that must go together unite."""

from __future__ import annotations

import numpy as np

Labels = np.ndarray  # int64, shape (channels,): the label of each entry of a tensor's last axis
FROZEN = -1


class LabelBook:
    """Hands out labels and remembers which belong together (a disjoint-set forest) and which must stay."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._frozen: list[bool] = []
        self.reasons: dict[str, str] = {}

    def fresh(self, count: int) -> Labels:
        """Labels nobody has yet."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        self._frozen.extend([False] * count)
        return np.arange(start, start + count)

    def unite(self, first: Labels, second: Labels) -> None:
        """Make the channels of two axes of the same length live and die together, one by one."""
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            a, b = self._root(a), self._root(b)
            if a != b:
                self._parents[b] = a
                self._frozen[a] = self._frozen[a] or self._frozen[b]

    def freeze(self, labels: Labels, layer: str = "", why: str = "") -> None:
        """Make sure channels stay; ``why`` is what the user reads about the layer that needs them."""
        free = [root for root in map(self._root, labels.tolist()) if not self._frozen[root]]
        for root in free:
            self._frozen[root] = True
        if free and why:
            self.reasons.setdefault(layer, why)

    def bundles(self) -> np.ndarray:
        """The bundle each label belongs to, numbered from 0; ``FROZEN`` for those that stay.

        Returns:
            int64, shape (labels,).
        """
        numbers: dict[int, int] = {}
        found = np.full(len(self._parents), FROZEN)
        for label in range(len(self._parents)):
            root = self._root(label)
            if not self._frozen[root]:
                found[label] = numbers.setdefault(root, len(numbers))
        return found

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            self._parents[label] = self._parents[self._parents[label]]
            label = self._parents[label]
        return label

"""Channel labels: a number for each channel, and the labels that must be removed together."""

from __future__ import annotations

import numpy as np

Labels = np.ndarray  # int64, shape (channels,): the label of each entry of a tensor's last axis
FROZEN = -1


class LabelBook:
    """Labels of all channels, the groups they form (a disjoint-set forest), and which of them must stay."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._frozen: list[bool] = []
        self.reasons: dict[str, str] = {}

    def fresh(self, count: int) -> Labels:
        """Return ``count`` new labels, int64, shape (count,)."""
        start = len(self._parents)
        self._parents.extend(range(start, start + count))
        self._frozen.extend([False] * count)
        return np.arange(start, start + count)

    def unite(self, first: Labels, second: Labels) -> None:
        """Put entry i of both axes into the same group, for every i. The axes have the same length."""
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            a, b = self._root(a), self._root(b)
            if a != b:
                self._parents[b] = a
                self._frozen[a] = self._frozen[a] or self._frozen[b]

    def freeze(self, labels: Labels, layer: str = "", why: str = "") -> None:
        """Mark channels as not removable.

        Args:
            labels: Labels of the channels.
            layer: Name of the layer that needs them.
            why: The reason shown to the user. Without one, nothing is recorded.
        """
        free = [root for root in map(self._root, labels.tolist()) if not self._frozen[root]]
        for root in free:
            self._frozen[root] = True
        if free and why:
            self.reasons.setdefault(layer, why)

    def groups(self) -> np.ndarray:
        """Return the group of each label, numbered from 0.

        Returns:
            int64, shape (labels,); ``FROZEN`` for channels that must stay.
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

"""Splits of a quantized forest as a stream of bytes: for firmware, about two thirds of what tables take.

Each tree is written in preorder. A split is

- one byte ``feature << 2 | right is a leaf << 1 | left is a leaf``, where there are at most 64 features; else
  the two bits, and the feature in one or two bytes (with missing values that go right, one bit more);
- the threshold, one or two bytes, low byte first;
- a number: where right is a leaf its row, else how many bytes to go ahead to the right subtree;
- left: its row as a number, or the subtree itself.

A number takes 7 bits a byte, the lowest first; the top bit says that more follow (LEB128, as in DWARF).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.trees.forest import Forest
from tflite_compress.trees.subtrees import Subtrees

LEFT_LEAF, RIGHT_LEAF, MISSING_RIGHT = 1, 2, 4


@dataclass(frozen=True, eq=False)
class Packed:
    """A forest's splits as bytes.

    Attributes:
        nodes: All trees one after the other, uint8.
        roots: Where each begins, shape (trees,).
        rows: Leaves, shape (rows, columns).
        bases: The row from which each tree counts its leaves, shape (trees,); None where all count from 0.
        flags: Bits of the first byte that are not the feature.
        feature_bytes: Bytes of the feature besides the first one: 0, 1 or 2.
    """

    nodes: np.ndarray
    roots: np.ndarray
    rows: np.ndarray
    bases: np.ndarray | None
    flags: int
    feature_bytes: int


def packed(forest: Forest, parts: Subtrees, missing: bool) -> Packed:
    """Write a quantized forest's splits as bytes.

    Args:
        forest: The forest, with a grid.
        parts: Its splits.
        missing: Some splits send NaN to the right, and that matters.
    """
    flags = 3 if missing else 2
    room = 1 << (8 - flags)
    feature_bytes = 0 if forest.features <= room else 1 if forest.features <= 256 else 2
    shared = _streams(forest, parts, flags, feature_bytes, None)
    own = _own_rows(parts)
    single = _streams(forest, parts, flags, feature_bytes, own)
    rows = np.concatenate([parts.rows[o] for o in own])
    bases = np.cumsum([0, *(len(o) for o in own)])[:-1]
    if _size(shared, parts.rows) <= _size(single, rows) + 2 * len(bases):
        return _joined(shared, parts.rows, None, flags, feature_bytes)
    return _joined(single, rows, bases, flags, feature_bytes)


def _own_rows(parts: Subtrees) -> list[np.ndarray]:
    """Rows each tree's leaves refer to, the most used first."""
    found = []
    for root in parts.roots.tolist():
        counts: dict[int, int] = {}
        stack = [root]
        while stack:
            reference = stack.pop()
            if reference >= 0:
                stack += [int(parts.left[reference]), int(parts.right[reference])]
            else:
                counts[-1 - reference] = counts.get(-1 - reference, 0) + 1
        found.append(np.array(sorted(counts, key=lambda row: (-counts[row], row)), np.int64))
    return found


def _streams(
    forest: Forest, parts: Subtrees, flags: int, feature_bytes: int, own: list[np.ndarray] | None
) -> list[bytes]:
    """Each tree's bytes, its leaves numbered as in the table, or by its own list."""
    assert forest.grid is not None
    size = np.dtype(forest.grid.numeric).itemsize
    most = int(np.iinfo(forest.grid.numeric).max)
    found = []
    for tree, root in enumerate(parts.roots.tolist()):
        number = None if own is None else {int(row): place for place, row in enumerate(own[tree])}
        writer = _Writer(parts, flags, feature_bytes, size, number)
        # A tree of one leaf becomes a split that nothing is above.
        found.append(writer.subtree(root) if root >= 0 else writer.split(0, most, False, root, root))
    return found


@dataclass(frozen=True)
class _Writer:
    parts: Subtrees
    flags: int
    feature_bytes: int
    threshold_bytes: int
    number: dict[int, int] | None

    def subtree(self, reference: int) -> bytes:
        parts = self.parts
        return self.split(
            int(parts.feature[reference]),
            int(parts.threshold[reference]),
            bool(parts.missing_right[reference]),
            int(parts.left[reference]),
            int(parts.right[reference]),
        )

    def split(self, feature: int, threshold: int, missing_right: bool, left: int, right: int) -> bytes:
        head = (LEFT_LEAF if left < 0 else 0) | (RIGHT_LEAF if right < 0 else 0)
        if self.flags == 3 and missing_right:
            head |= MISSING_RIGHT
        if not self.feature_bytes:
            head |= feature << self.flags
        start = bytes([head])
        if self.feature_bytes:
            start += feature.to_bytes(self.feature_bytes, "little")
        start += threshold.to_bytes(self.threshold_bytes, "little", signed=True)
        first = _varint(self._row(left)) if left < 0 else self.subtree(left)
        if right < 0:
            return start + _varint(self._row(right)) + first
        return start + _varint(len(first)) + first + self.subtree(right)

    def _row(self, reference: int) -> int:
        row = -1 - reference
        return row if self.number is None else self.number[row]


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def _size(streams: list[bytes], rows: np.ndarray) -> int:
    return sum(len(s) for s in streams) + rows.size


def _joined(
    streams: list[bytes], rows: np.ndarray, bases: np.ndarray | None, flags: int, feature_bytes: int
) -> Packed:
    starts = np.cumsum([0, *(len(s) for s in streams)])[:-1]
    nodes = np.frombuffer(b"".join(streams), np.uint8)
    return Packed(nodes, starts, rows, bases, flags, feature_bytes)

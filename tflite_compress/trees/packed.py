"""Store the splits of a quantized forest as a bit stream, which is much smaller than tables.

Each tree is written in preorder and starts at a byte boundary. A split consists of

- flags: left is a leaf, right is a leaf, and NaN goes right (only if the forest handles NaN);
- its comparison: an index into a table of all pairs of feature and threshold, or the feature and the
  threshold minus the lowest threshold if that is smaller;
- the right leaf; or, if neither side is a leaf, the distance to the right subtree in bits: ``LENGTH_BITS``
  bits with the length of the distance, then the distance;
- the left leaf or subtree, then the right subtree.

All numbers are stored lowest bit first. Leaves are numbered over the forest, or per tree if that is smaller.
Leaves with mostly zero columns are stored as pairs of column and value.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from tflite_compress.trees.forest import Forest
from tflite_compress.trees.subtrees import Subtrees

LEFT_LEAF, RIGHT_LEAF, MISSING_RIGHT = 1, 2, 4
LENGTH_BITS = 5
MAX_BITS = 25  # of a number: at any bit offset it fits four bytes
MAX_COLUMNS = 1 << 15
_READ_AHEAD = bytes(3)

Bits = tuple[int, int]  # a number and its length in bits


@dataclass(frozen=True, eq=False)
class Compared:
    """How the stream stores the comparison of a split.

    Attributes:
        pairs: Feature and threshold by index, int64, shape (pairs, 2); None if both are in the stream.
        feature_bits, threshold_bits: Bits of a feature and of a threshold in the stream.
        lowest: Threshold that is stored as 0.
        highest: Threshold that no sample exceeds.
        pair_bits: Bits of a pair's index.
    """

    pairs: np.ndarray | None
    feature_bits: int
    threshold_bits: int
    lowest: int
    highest: int
    pair_bits: int

    @functools.cached_property
    def numbers(self) -> dict[tuple[int, int], int]:
        """The index of each pair."""
        return {} if self.pairs is None else {tuple(pair): n for n, pair in enumerate(self.pairs.tolist())}


@dataclass(frozen=True, eq=False)
class Leaves:
    """Leaf values as stored.

    Attributes:
        values: Shape (rows, columns); or, with :attr:`columns`, (entries,).
        columns: Column of each entry; the bit :attr:`more` is set if the leaf has further entries. None if
            values are stored densely.
        more: That bit.
        starts: Index of each row's first entry, shape (rows,).
    """

    values: np.ndarray
    columns: np.ndarray | None
    more: int
    starts: np.ndarray

    @property
    def size(self) -> int:
        """Bytes of the values and columns."""
        return int(self.values.nbytes) + (0 if self.columns is None else int(self.columns.nbytes))


@dataclass(frozen=True, eq=False)
class Packed:
    """A forest's splits as a bit stream.

    Attributes:
        nodes: All trees, uint8, followed by 3 bytes that a reader may read ahead.
        roots: Byte offset of each tree, shape (trees,).
        compared: How comparisons are stored.
        leaves: The leaves.
        bases: First leaf of each tree, shape (trees,); None if leaves are numbered over the forest.
        flags: Bits of a split's flags.
        leaf_bits: Bits of a leaf's number.
    """

    nodes: np.ndarray
    roots: np.ndarray
    compared: Compared
    leaves: Leaves
    bases: np.ndarray | None
    flags: int
    leaf_bits: int


def pack_forest(forest: Forest, parts: Subtrees, missing: bool) -> Packed | None:
    """Write a quantized forest's splits as a bit stream.

    Args:
        forest: The forest, with a grid.
        parts: Its splits.
        missing: Store which splits send NaN right.

    Returns:
        The stream, or None if some number has more than ``MAX_BITS`` bits.
    """
    own, visits = _visited(parts)
    compared = _compared(forest, parts, visits)
    rows = parts.rows.astype(forest.leaf_precision)
    try:
        shared = _written(parts, rows, compared, missing, None)
        single = _written(parts, rows, compared, missing, own)
    except OverflowError:
        return None
    return min(shared, single, key=_size)


def _visited(parts: Subtrees) -> tuple[list[np.ndarray], int]:
    """Return the leaf rows of each tree, and the number of splits, with shared splits counted each time."""
    found, visits = [], 0
    for root in parts.roots.tolist():
        rows: set[int] = set()
        stack = [root]
        while stack:
            reference = stack.pop()
            if reference >= 0:
                visits += 1
                stack += [int(parts.left[reference]), int(parts.right[reference])]
            else:
                rows.add(-1 - reference)
        found.append(np.array(sorted(rows), np.int64))
    return found, visits


def _compared(forest: Forest, parts: Subtrees, visits: int) -> Compared:
    """Choose the smaller storage of comparisons: indices of pairs, or both numbers in the stream."""
    assert forest.grid is not None
    highest = int(np.iinfo(forest.grid.precision).max)
    both = np.stack([parts.feature, parts.threshold.astype(np.int64)], axis=1)
    if (parts.roots < 0).any():  # a tree of one leaf becomes a split that no sample exceeds
        both = np.concatenate([both, [[0, highest]]])
    pairs = np.unique(both, axis=0)
    lowest = int(pairs[:, 1].min())
    feature_bits = int(pairs[:, 0].max()).bit_length()
    threshold_bits = int(pairs[:, 1].max() - lowest).bit_length()
    pair_bits = (len(pairs) - 1).bit_length()
    pair_bytes = np.min_scalar_type(forest.features - 1).itemsize + np.dtype(forest.grid.precision).itemsize
    by_number = visits * pair_bits + 8 * pair_bytes * len(pairs)
    kept = pairs if by_number < visits * (feature_bits + threshold_bits) else None
    return Compared(kept, feature_bits, threshold_bits, lowest, highest, pair_bits)


def encode_leaves(rows: np.ndarray) -> Leaves:
    """Store leaf values densely or as their nonzero entries, whichever is smaller.

    Args:
        rows: Shape (rows, columns).
    """
    columns = rows.shape[1]
    dense = Leaves(rows, None, 0, np.arange(len(rows)))
    if columns == 1 or columns > MAX_COLUMNS:
        return dense
    stored = rows != 0
    stored[~stored.any(axis=1), 0] = True
    row, column = np.nonzero(stored)
    further = np.append(row[1:] == row[:-1], False)
    dtype: type[np.unsignedinteger] = np.uint8 if columns <= 128 else np.uint16
    more = 1 << (8 * np.dtype(dtype).itemsize - 1)
    starts = np.searchsorted(row, np.arange(len(rows)))
    sparse = Leaves(rows[stored], (column | more * further).astype(dtype), more, starts)
    return min(dense, sparse, key=lambda leaves: leaves.size)


def _written(
    parts: Subtrees, rows: np.ndarray, compared: Compared, missing: bool, own: list[np.ndarray] | None
) -> Packed:
    """Write the stream with leaves numbered over the forest, or per tree if ``own`` has each tree's rows.

    Raises:
        OverflowError: A number has more than ``MAX_BITS`` bits.
    """
    leaves, bases, numbers = _numbered(rows, own, len(parts.roots))
    leaf_bits = max(next(reversed(known.values())) for known in numbers).bit_length()
    if leaf_bits > MAX_BITS:
        raise OverflowError(f"{len(rows)} leaves")
    flags = 3 if missing else 2
    streams = []
    for root, known in zip(parts.roots.tolist(), numbers, strict=True):
        bits, length = _Writer(parts, compared, flags, leaf_bits, known).tree(root)
        streams.append(bits.to_bytes((length + 7) // 8, "little"))
    starts = np.cumsum([0, *map(len, streams)])[:-1]
    nodes = np.frombuffer(b"".join([*streams, _READ_AHEAD]), np.uint8)
    return Packed(nodes, starts, compared, leaves, bases, flags, leaf_bits)


def _numbered(
    rows: np.ndarray, own: list[np.ndarray] | None, trees: int
) -> tuple[Leaves, np.ndarray | None, list[dict[int, int]]]:
    """Return the leaves, the first leaf of each tree, and the number of each row in each tree, ascending."""
    if own is None:
        leaves = encode_leaves(rows)
        return leaves, None, [dict(enumerate(leaves.starts.tolist()))] * trees
    leaves = encode_leaves(rows[np.concatenate(own)])
    ends = np.cumsum([0, *map(len, own)])
    bases = leaves.starts[ends[:-1]]
    places = [leaves.starts[a:b] - leaves.starts[a] for a, b in itertools.pairwise(ends)]
    numbers = [dict(zip(o.tolist(), p.tolist(), strict=True)) for o, p in zip(own, places, strict=True)]
    return leaves, bases, numbers


def _size(stream: Packed) -> int:
    return len(stream.nodes) + stream.leaves.size + (0 if stream.bases is None else 2 * len(stream.bases))


@dataclass(frozen=True)
class _Writer:
    """Writes one tree to the stream.

    Attributes:
        parts: The forest's splits.
        compared: How comparisons are stored.
        flags: Bits of a split's flags.
        leaf_bits: Bits of a leaf's number.
        number: Number of each row.
    """

    parts: Subtrees
    compared: Compared
    flags: int
    leaf_bits: int
    number: dict[int, int]

    def tree(self, root: int) -> Bits:
        return self.subtree(root) if root >= 0 else self.split(0, self.compared.highest, False, root, root)

    def subtree(self, reference: int) -> Bits:
        parts = self.parts
        return self.split(
            int(parts.feature[reference]),
            int(parts.threshold[reference]),
            bool(parts.missing_right[reference]),
            int(parts.left[reference]),
            int(parts.right[reference]),
        )

    def split(self, feature: int, threshold: int, missing_right: bool, left: int, right: int) -> Bits:
        head = (LEFT_LEAF if left < 0 else 0) | (RIGHT_LEAF if right < 0 else 0)
        if self.flags == 3 and missing_right:
            head |= MISSING_RIGHT
        start = [(head, self.flags), *self._comparison(feature, threshold)]
        first = self._leaf(left) if left < 0 else self.subtree(left)
        if right < 0:
            return _joined([*start, self._leaf(right), first])
        ahead = [] if left < 0 else _distance(first[1])
        return _joined([*start, *ahead, first, self.subtree(right)])

    def _comparison(self, feature: int, threshold: int) -> list[Bits]:
        how = self.compared
        if how.pairs is not None:
            return [(how.numbers[feature, threshold], how.pair_bits)]
        return [(feature, how.feature_bits), (threshold - how.lowest, how.threshold_bits)]

    def _leaf(self, reference: int) -> Bits:
        return self.number[-1 - reference], self.leaf_bits


def _distance(bits: int) -> list[Bits]:
    """Return the distance to the right subtree as its length and its value."""
    length = bits.bit_length()
    if length > MAX_BITS:
        raise OverflowError(f"a subtree of {bits} bits")
    return [(length, LENGTH_BITS), (bits, length)]


def _joined(parts: list[Bits]) -> Bits:
    """Concatenate numbers, the first in the lowest bits."""
    value, length = 0, 0
    for number, bits in parts:
        value |= number << length
        length += bits
    return value, length

"""Splits of a quantized forest as a stream of bits: for firmware, much smaller than tables.

Each tree is written in preorder and begins at a whole byte. A split is

- the flags: left is a leaf, right is a leaf (and NaN goes right, where that matters);
- what it compares: a number in a table of all pairs of feature and threshold there are, or, where that is
  larger, the feature and the threshold above the lowest one;
- the right leaf, or, where neither side is a leaf, how many bits to go ahead to the right subtree: a number
  of ``LENGTH_BITS`` that says how many bits follow, and these;
- the left leaf or subtree, then the right subtree.

All numbers have their lowest bit first. Leaves are numbered over the forest, or over each tree where that is
smaller. Leaves with many columns of which few are not zero become pairs of column and number.
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
MAX_BITS = 25  # of a number: four bytes hold it wherever it begins
MAX_COLUMNS = 1 << 15
_READ_AHEAD = bytes(3)

Bits = tuple[int, int]  # a number, and how many bits it has


@dataclass(frozen=True, eq=False)
class Compared:
    """How a split says what it compares.

    Attributes:
        pairs: Feature and threshold by number, int64 (pairs, 2); None where both are in the stream.
        feature_bits, threshold_bits: What each takes there.
        lowest: Threshold that is written as 0.
        highest: Threshold that nothing is above.
        pair_bits: What a pair's number takes.
    """

    pairs: np.ndarray | None
    feature_bits: int
    threshold_bits: int
    lowest: int
    highest: int
    pair_bits: int

    @functools.cached_property
    def numbers(self) -> dict[tuple[int, int], int]:
        """The number of each pair."""
        return {} if self.pairs is None else {tuple(pair): n for n, pair in enumerate(self.pairs.tolist())}


@dataclass(frozen=True, eq=False)
class Leaves:
    """Leaves as stored.

    Attributes:
        values: Shape (rows, columns); or, with :attr:`columns`, (entries,).
        columns: Which column each entry adds to, with :attr:`more` set where the leaf has further ones.
        more: That bit.
        starts: Where each row begins, shape (rows,).
    """

    values: np.ndarray
    columns: np.ndarray | None
    more: int
    starts: np.ndarray

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.values.nbytes) + (0 if self.columns is None else int(self.columns.nbytes))


@dataclass(frozen=True, eq=False)
class Packed:
    """A forest's splits as bits.

    Attributes:
        nodes: All trees one after the other, uint8, and some bytes more, so that reading ahead is harmless.
        roots: The byte at which each begins, shape (trees,).
        compared: How splits say what they compare.
        leaves: The leaves.
        bases: From where in them each tree counts, shape (trees,); None where all count from 0.
        flags: Flags of a split.
        leaf_bits: What a leaf's number takes.
    """

    nodes: np.ndarray
    roots: np.ndarray
    compared: Compared
    leaves: Leaves
    bases: np.ndarray | None
    flags: int
    leaf_bits: int


def packed(forest: Forest, parts: Subtrees, missing: bool) -> Packed | None:
    """Write a quantized forest's splits as bits.

    Args:
        forest: The forest, with a grid.
        parts: Its splits.
        missing: Some splits send NaN to the right, and that matters.

    Returns:
        None where some number would have more than ``MOST_BITS``.
    """
    own, visits = _visited(parts)
    compared = _compared(forest, parts, visits)
    rows = parts.rows.astype(forest.leaf_numeric)
    try:
        shared = _written(parts, rows, compared, missing, None)
        single = _written(parts, rows, compared, missing, own)
    except OverflowError:
        return None
    return min(shared, single, key=_size)


def _visited(parts: Subtrees) -> tuple[list[np.ndarray], int]:
    """Rows each tree's leaves refer to, and how many splits all trees have, shared ones each time."""
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
    """Pairs by number, or both in the stream, whatever is smaller."""
    assert forest.grid is not None
    highest = int(np.iinfo(forest.grid.precision).max)
    both = np.stack([parts.feature, parts.threshold.astype(np.int64)], axis=1)
    if (parts.roots < 0).any():  # a tree of one leaf becomes a split that nothing is above
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


def leaves_of(rows: np.ndarray) -> Leaves:
    """Rows as they are, or what is not zero of them, whatever is smaller.

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
    """The stream with leaves numbered over the forest, or over each tree, ``own`` being the rows of each.

    Raises:
        OverflowError: A number has too many bits.
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
    """The leaves, from where in them each tree counts, and the number of each row in each tree, ascending."""
    if own is None:
        leaves = leaves_of(rows)
        return leaves, None, [dict(enumerate(leaves.starts.tolist()))] * trees
    leaves = leaves_of(rows[np.concatenate(own)])
    ends = np.cumsum([0, *map(len, own)])
    bases = leaves.starts[ends[:-1]]
    places = [leaves.starts[a:b] - leaves.starts[a] for a, b in itertools.pairwise(ends)]
    numbers = [dict(zip(o.tolist(), p.tolist(), strict=True)) for o, p in zip(own, places, strict=True)]
    return leaves, bases, numbers


def _size(stream: Packed) -> int:
    return len(stream.nodes) + stream.leaves.size + (0 if stream.bases is None else 2 * len(stream.bases))


@dataclass(frozen=True)
class _Writer:
    """Writes one tree.

    Attributes:
        parts: The forest's splits.
        compared: How they say what they compare.
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
    """How far to go ahead."""
    length = bits.bit_length()
    if length > MAX_BITS:
        raise OverflowError(f"a subtree of {bits} bits")
    return [(length, LENGTH_BITS), (bits, length)]


def _joined(parts: list[Bits]) -> Bits:
    """One number after the other."""
    value, length = 0, 0
    for number, bits in parts:
        value |= number << length
        length += bits
    return value, length

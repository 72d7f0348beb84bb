"""Huffman encoding with the multi-level decode tables of TFLite Micro (DECODE operator, decode type 1).

A table entry contains either a symbol and the number of bits of its code, or the number of bits to read next
and the offset of the next table. Short codes take one look-up, the rare long codes take several, and the
table stays small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite_compress.decode.ancillary import Encoded, ancillary, packed_bits
from tflite_compress.decode.codes import canonical_codes, code_lengths

LOOKUP_PRICE = 1 / 256  # minimum bytes saved per additional look-up of an element
MAX_LEVEL_BITS = 12
LONGEST_CODE = 15
_READ_AHEAD_BYTES = 4


@dataclass(frozen=True, eq=False)
class Code:
    """A prefix code and its decode table.

    Attributes:
        symbols: Values with a code, ascending, int8 or int16, shape (symbols,).
        lengths: Length of each code in bits, shape (symbols,).
        words: Each code word, uint64, shape (symbols,).
        ancillary: Header and table.
    """

    symbols: np.ndarray
    lengths: np.ndarray
    words: np.ndarray
    ancillary: bytes

    def bits(self, counts: np.ndarray) -> int:
        """Return the number of bits of data in which each symbol occurs ``counts`` times."""
        return int(self.lengths @ counts)


def make_code(tensors: Sequence[np.ndarray]) -> Code:
    """Return the code with the smallest total of encoded data and table for some tensors.

    Args:
        tensors: int8 or int16 arrays of one type.
    """
    symbols, counts = np.unique(np.concatenate([t.reshape(-1) for t in tensors]), return_counts=True)
    wide = symbols.dtype != np.int8
    shortest = max(1, (len(symbols) - 1).bit_length())
    candidates: list[tuple[float, Code]] = []
    for limit in range(shortest, max(LONGEST_CODE, shortest) + 1):
        lengths = code_lengths(counts, limit)
        if candidates and int(lengths.max()) < limit:
            break  # the limit no longer binds
        words = canonical_codes(lengths)
        table = _Table(symbols, lengths, words, counts, wide)
        candidates.append(
            (int(lengths @ counts) / 8 + table.cost, Code(symbols, lengths, words, table.ancillary()))
        )
    return min(candidates, key=lambda c: c[0])[1]


def encode_huffman(values: np.ndarray, code: Code) -> Encoded:
    """Encode one tensor with a code that contains all its values.

    Args:
        values: int8 or int16.
        code: A code from :func:`make_code` for tensors that include this one.
    """
    places = np.searchsorted(code.symbols, values.reshape(-1))
    data = packed_bits(code.words[places], code.lengths[places])
    padding = -len(data) % 4 + _READ_AHEAD_BYTES
    return Encoded("huffman", data + bytes(padding), code.ancillary)


@dataclass(frozen=True)
class _Node:
    """An inner node of the code tree: a prefix, and the codes that start with it.

    Attributes:
        depth: Length of the prefix in bits.
        first: Index of the first code in canonical order.
        last: Index after the last code in canonical order.
        prefix: The bits of the prefix.
    """

    depth: int
    first: int
    last: int
    prefix: int


class _Table:
    """The cheapest multi-level table for a code, found by dynamic programming over its tree."""

    def __init__(
        self, symbols: np.ndarray, lengths: np.ndarray, words: np.ndarray, counts: np.ndarray, wide: bool
    ) -> None:
        order = np.lexsort((np.arange(len(lengths)), lengths))
        self._symbols = symbols[order].tolist()
        self._lengths: list[int] = lengths[order].tolist()
        self._words: list[int] = words[order].tolist()
        self._before = np.concatenate([[0], np.cumsum(counts[order])]).tolist()
        self._best: dict[tuple[int, int], tuple[float, int]] = {}
        self._root = _Node(0, 0, len(symbols), 0)
        self.wide = wide
        self.cost, _ = self._plan(self._root)
        entries = self._filled()
        if entries is None:
            self.wide = True
            self.cost *= 2
            entries = self._filled()
        assert entries is not None
        self._entries = entries

    def ancillary(self) -> bytes:
        """Return header and table in the format of the decoder."""
        initial = self._plan(self._root)[1]
        table = np.asarray(self._entries, "<u4" if self.wide else "<u2")
        return ancillary("huffman", bytes([(initial - 1) << 4 | self.wide]), table.tobytes())

    def _plan(self, node: _Node) -> tuple[float, int]:
        """Return the minimum cost of the tables from a node down, and the number of bits its table reads."""
        key = (node.depth, node.first)
        if key not in self._best:
            height = self._lengths[node.last - 1] - node.depth
            price = (self._before[node.last] - self._before[node.first]) * LOOKUP_PRICE
            options = []
            for bits in range(1, min(height, MAX_LEVEL_BITS) + 1):
                below = sum(self._plan(inner)[0] for inner in self._inner(node, bits))
                options.append(((4 if self.wide else 2) * 2**bits + price + below, bits))
            self._best[key] = min(options)
        return self._best[key]

    def _inner(self, node: _Node, bits: int) -> list[_Node]:
        """Return the inner nodes ``bits`` below a node, ordered by prefix."""
        depth, found = node.depth + bits, []
        index = node.first
        while index < node.last and self._lengths[index] <= depth:
            index += 1
        while index < node.last:
            prefix = self._words[index] >> (self._lengths[index] - depth)
            end = index
            while end < node.last and self._words[end] >> (self._lengths[end] - depth) == prefix:
                end += 1
            found.append(_Node(depth, index, end, prefix))
            index = end
        return found

    def _filled(self) -> list[int] | None:
        """Return the entries of all tables, or None if an offset does not fit into an entry."""
        value_bits = 27 if self.wide else 11
        entries: list[int] = []
        pending: list[tuple[_Node, int | None]] = [(self._root, None)]
        while pending:
            node, pointer = pending.pop(0)
            start, bits = len(entries), self._plan(node)[1]
            if pointer is not None:
                if start - pointer >= 1 << value_bits:
                    return None
                entries[pointer] = (bits - 1) << value_bits | (start - pointer)
            entries.extend([0] * 2**bits)
            self._place_symbols(entries, start, node, bits, value_bits)
            for inner in self._inner(node, bits):
                place = inner.prefix - (node.prefix << bits)
                pending.append((inner, start + place))
        return entries

    def _place_symbols(self, entries: list[int], start: int, node: _Node, bits: int, value_bits: int) -> None:
        """Write the symbols whose codes end in a table, each into all entries that start with its code."""
        found = 1 << (value_bits + 4)
        mask = 0xFFFF if self._symbols and self.wide else 0xFF
        for index in range(node.first, node.last):
            used = self._lengths[index] - node.depth
            if used > bits:
                break
            place = (self._words[index] - (node.prefix << used)) << (bits - used)
            entry = found | used << value_bits | (self._symbols[index] & mask)
            entries[start + place : start + place + 2 ** (bits - used)] = [entry] * 2 ** (bits - used)

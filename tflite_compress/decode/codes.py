"""Prefix codes of limited length: package-merge and canonical code words."""

from __future__ import annotations

import numpy as np


def code_lengths(counts: np.ndarray, limit: int) -> np.ndarray:
    """Return the word lengths of the optimal prefix code with words of at most ``limit`` bits.

    Package-merge: Larmore and Hirschberg, "A fast algorithm for optimal length-limited Huffman codes",
    Journal of the ACM 37(3), 1990.

    Args:
        counts: Frequency of each symbol, positive, shape (symbols,).
        limit: Maximum word length in bits, at least log2(symbols).

    Returns:
        int64, shape (symbols,), in bits. A single symbol gets a word of one bit.
    """
    count = len(counts)
    if count == 1:
        return np.ones(1, np.int64)
    order = np.argsort(counts, kind="stable")
    leaves = counts[order].astype(np.int64)
    merged, levels = leaves, [np.ones(count, bool)]  # levels: which entries of each list are leaves
    for _ in range(limit - 1):
        even = len(merged) // 2 * 2
        packages = merged[0:even:2] + merged[1:even:2]
        together = np.concatenate([leaves, packages])
        sorting = np.argsort(together, kind="stable")
        merged = together[sorting]
        levels.append(sorting < count)
    lengths = np.zeros(count, np.int64)
    taken = 2 * count - 2
    for is_leaf in reversed(levels):
        taken_leaves = int(is_leaf[:taken].sum())
        lengths[:taken_leaves] += 1
        taken = 2 * (taken - taken_leaves)
    result = np.empty(count, np.int64)
    result[order] = lengths
    return result


def canonical_codes(lengths: np.ndarray) -> np.ndarray:
    """Return canonical code words, ordered by length and then by symbol.

    Args:
        lengths: Word length of each symbol in bits, shape (symbols,).

    Returns:
        uint64, shape (symbols,).
    """
    codes = np.zeros(len(lengths), np.uint64)
    code, previous = 0, 0
    for symbol in np.lexsort((np.arange(len(lengths)), lengths)):
        code <<= int(lengths[symbol]) - previous
        previous = int(lengths[symbol])
        codes[symbol] = code
        code += 1
    return codes

"""Prefix codes of limited length: package-merge and canonical code words."""

from __future__ import annotations

import numpy as np


def code_lengths(counts: np.ndarray, limit: int) -> np.ndarray:
    """Lengths of the best prefix code in which no word is longer than ``limit``.

    Package-merge: Larmore and Hirschberg, "A fast algorithm for optimal length-limited Huffman codes",
    Journal of the ACM 37(3), 1990.

    Args:
        counts: How often each symbol occurs, all positive, shape (symbols,).
        limit: Longest word in bits; at least log2(symbols).

    Returns:
        int64, shape (symbols,). One symbol alone gets a word of one bit.
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
    """Code words in the order of length, then symbol.

    Args:
        lengths: Bits of each symbol's word, shape (symbols,).

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

import numpy as np
import pytest

from tests.trees.conftest import fitted
from tflite_compress.trees import packed as module
from tflite_compress.trees.c_source import write_c_forest
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.load_forest import load_forest
from tflite_compress.trees.packed import (
    LEFT_LEAF,
    LENGTH_BITS,
    RIGHT_LEAF,
    Packed,
    encode_leaves,
    pack_forest,
)
from tflite_compress.trees.quantize import feature_ranges, quantize_forest
from tflite_compress.trees.subtrees import Subtrees, find_subtrees


def small_forest(name: str = "forest") -> tuple[Forest, Subtrees]:
    estimator, x = fitted(name)
    forest = quantize_forest(load_forest(estimator, trust=False)[0], feature_ranges([x]), "int8")
    return forest, find_subtrees(forest)


def unpacked(stream: Packed, tree: int) -> list[tuple[int, int, int]]:
    """Feature, threshold and depth of each split, in preorder, read straight through."""
    bits = "".join(f"{byte:08b}"[::-1] for byte in stream.nodes[stream.roots[tree] :].tolist())
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at][::-1] or "0", 2)

    found: list[tuple[int, int, int]] = []

    def subtree(depth: int) -> None:
        how, flags = stream.compared, take(stream.flags)
        if how.pairs is None:
            feature, threshold = take(how.feature_bits), take(how.threshold_bits) + how.lowest
        else:
            feature, threshold = how.pairs[take(how.pair_bits)].tolist()
        found.append((feature, threshold, depth))
        ahead = None
        if flags & RIGHT_LEAF:
            take(stream.leaf_bits)
        elif not flags & LEFT_LEAF:
            ahead = take(take(LENGTH_BITS)) + at
        if flags & LEFT_LEAF:
            take(stream.leaf_bits)
        else:
            subtree(depth + 1)
        assert ahead is None or at == ahead
        if not flags & RIGHT_LEAF:
            subtree(depth + 1)

    subtree(0)
    return found


def preorder(parts: Subtrees, reference: int, depth: int = 0) -> list[tuple[int, int, int]]:
    if reference < 0:
        return []
    own = (int(parts.feature[reference]), int(parts.threshold[reference]), depth)
    sides = (int(parts.left[reference]), int(parts.right[reference]))
    return [own, *(split for side in sides for split in preorder(parts, side, depth + 1))]


@pytest.mark.parametrize("name", ["forest", "xgboost nan"])
def test_every_split_can_be_read_back(name: str) -> None:
    forest, parts = small_forest(name)
    stream = pack_forest(forest, parts, False)
    assert stream is not None and len(stream.roots) == len(forest.trees)
    for tree, root in enumerate(parts.roots.tolist()):
        if root >= 0:
            assert unpacked(stream, tree) == preorder(parts, root)


def test_leaves_that_are_mostly_zero_are_stored_as_pairs() -> None:
    rows = np.zeros((5, 10), np.int8)
    rows[0, 3], rows[1, 9], rows[3, 0], rows[3, 7] = 5, -1, 2, 4
    leaves = encode_leaves(rows)
    assert leaves.columns is not None and leaves.size == 2 * 6 < rows.size
    back = np.zeros_like(rows)
    for row, start in enumerate(leaves.starts.tolist()):
        more = True
        while more:
            cell = int(leaves.columns[start])
            back[row, cell & (leaves.more - 1)] += leaves.values[start]
            more, start = bool(cell & leaves.more), start + 1
    assert np.array_equal(back, rows)


def test_leaves_with_all_columns_are_stored_densely() -> None:
    rows = np.arange(1, 31, dtype=np.int8).reshape(3, 10)
    assert encode_leaves(rows).columns is None and encode_leaves(rows[:, :1] * 0).columns is None


def test_a_stream_with_too_long_numbers_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    forest, parts = small_forest()
    monkeypatch.setattr(module, "MAX_BITS", 2)
    assert pack_forest(forest, parts, False) is None
    assert b"Trees in preorder" not in write_c_forest(forest, "f", False).files["f.c"]

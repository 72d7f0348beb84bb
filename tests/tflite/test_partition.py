"""How LiteRT splits a graph between a delegate and the CPU."""

from __future__ import annotations

from tests.runtimes.gpu_files import gathered, with_variable
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.partition import find_crossings, split_graph


def test_a_refused_operator_splits_a_chain() -> None:
    tree = unpack(gathered())
    parts = split_graph(tree, tree.subgraphs[0], [True, True, False, True])
    assert [(p.is_delegated, p.operators) for p in parts] == [(True, (0, 1)), (False, (2,)), (True, (3,))]


def test_crossings_are_tensors_with_their_bytes() -> None:
    tree = unpack(gathered())
    crossings = find_crossings(tree, tree.subgraphs[0], [True, True, False, False])
    assert [c.bytes for c in crossings] == [16] and find_crossings(tree, tree.subgraphs[0], [True] * 4) == ()


def test_operators_with_side_effects_keep_their_order() -> None:
    """READ_VARIABLE has no input that ASSIGN_VARIABLE computes, and still runs after it."""
    tree = unpack(with_variable())
    parts = split_graph(tree, tree.subgraphs[0], [False, True, False, False, True])
    assert [p.operators for p in parts] == [(0,), (1,), (2, 3), (4,)]

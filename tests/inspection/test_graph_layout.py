"""Places of a layered graph."""

from __future__ import annotations

from tflite_compress.inspection.graph_layout import layered_places


def test_a_node_lies_below_everything_it_reads() -> None:
    edges = [(0, 1), (1, 2), (0, 3), (2, 4), (3, 4)]
    places = layered_places(range(5), edges)
    assert [places[n][1] for n in range(5)] == [0, 1, 2, 1, 3]
    assert len(set(places.values())) == 5
    assert all(places[a][1] < places[b][1] for a, b in edges)


def test_nodes_lie_below_what_they_read() -> None:
    edges = [(0, 1), (0, 2), (2, 3), (1, 4)]  # 3 comes first, and reads the right one of 1 and 2
    places = layered_places(range(5), edges)
    assert places[4][0] < places[3][0]


def test_an_empty_graph() -> None:
    assert layered_places([], []) == {}

"""Places of a layered graph."""

from __future__ import annotations

from tflite_compress.reporting.graph_layout import assign_lanes, layered_places, split_into_bands


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


def test_what_reads_nothing_is_above_its_reader() -> None:
    edges = [(0, 1), (1, 2), (3, 4), (2, 4)]
    assert layered_places(range(5), edges)[3][1] == 2


def test_bands_end_where_one_edge_is_cut() -> None:
    edges = [(n, n + 1) for n in range(59)] + [(18, 23), (38, 44)]
    starts = split_into_bands(layered_places(range(60), edges), edges)
    assert starts[0] == 0 and len(starts) == 3
    assert all(not 19 <= row <= 23 and not 39 <= row <= 44 for row in starts)
    assert split_into_bands(layered_places(range(20), edges[:19]), edges[:19]) == (0,)


def test_spans_of_one_lane_do_not_touch() -> None:
    assert assign_lanes([(0, 3), (3, 5), (4, 6), (7, 8)]) == (0, 1, 0, 0)

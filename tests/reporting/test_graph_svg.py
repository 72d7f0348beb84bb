"""The network graph: boxes, lines, colours, table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.timing.models import dense
from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.reporting.graph_svg import network_graph
from tflite_compress.reporting.network_operators import read_operators

CONV = NetworkOperator(
    operator="CONV_2D",
    layer="conv_1",
    type="INT8",
    weight_type="INT4",
    shape=(1, 8, 8, 16),
    bytes=2048,
    macs=13_824,
    ms=0.25,
    added_noise=0.01,
    inputs=(),
)
ADD = replace(CONV, operator="ADD", layer=None, weight_type=None, bytes=0, macs=0, ms=None, inputs=(0, 1))
NETWORK = (CONV, replace(CONV, layer="conv_2", bytes=1024, ms=0.5, inputs=(0,)), ADD)


def test_each_operator_is_a_box_with_its_figures() -> None:
    graph = network_graph(NETWORK) or ""
    words = re.findall(r'class="value op"[^>]*aria-label="([^"]*)"', graph)
    assert words[0] == (
        "0: CONV_2D, conv_1, int8, int4 weights, output 1x8x8x16, weights 2 KB, MACs 13,800, time 0.25 ms, "
        "noise added 1 %"
    )
    assert len(words) == 3 and graph.count("<path") == 3
    assert graph.count('tabindex="0"') == 3  # the first box, the region that scrolls, the table
    assert len(re.findall(r"<tr><td", graph)) == 3
    assert "2 KB · 13,800 MACs · int8, int4 weights" in graph


def test_colours_are_shares_of_the_largest() -> None:
    graph = network_graph(NETWORK) or ""
    assert re.findall(r"--by-size:([\d.]+)", graph) == ["1.000", "0.500", "0.000"]
    assert re.findall(r"--by-time:([\d.]+)", graph) == ["0.500", "1.000", "0.000"]
    assert re.findall(r'type="radio"[^>]*value="(\w+)"', graph) == ["size", "time", "macs", "error"]
    plain = network_graph([replace(op, ms=None, added_noise=None) for op in NETWORK]) or ""
    assert re.findall(r'type="radio"[^>]*value="(\w+)"', plain) == ["size", "macs"]


def test_names_are_escaped_and_no_graph_is_drawn_of_nothing() -> None:
    graph = network_graph([replace(CONV, layer="<script>", operator='"><b>')]) or ""
    assert "<script>" not in graph and "<b>" not in graph
    assert network_graph(()) is None


def test_operators_of_a_file() -> None:
    content = dense(4, 3)
    found = read_operators(content, times={0: 0.5}, noise={})
    assert found[0].operator == "FULLY_CONNECTED" and found[0].ms == 0.5
    assert found[0].bytes == 4 * found[0].macs if found[0].macs else False
    assert found[0].weight_type == found[0].type == "FLOAT32"


def test_operators_read_each_other(int8_file: Path) -> None:
    found = read_operators(int8_file.read_bytes())
    assert [op.inputs for op in found[1:]] == [(n,) for n in range(len(found) - 1)]
    assert {op.weight_type for op in found if op.bytes} == {"INT8"}


@pytest.mark.parametrize("count", [1, 400])
def test_graphs_of_any_size(count: int) -> None:
    chain = [replace(ADD, inputs=(n - 1,) if n else ()) for n in range(count)]
    assert (network_graph(chain) or "").count('class="value op"') == count

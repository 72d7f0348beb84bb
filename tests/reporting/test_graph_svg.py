"""The network graph: boxes, lines, colours, table."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.timing.models import dense
from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.reporting.graph_drawing import BOX, HIGH, lay_out
from tflite_compress.reporting.graph_svg import MAX_DRAWN, network_graph
from tflite_compress.reporting.network_operators import read_operators

CONV = NetworkOperator(
    index=0,
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
NETWORK = (
    CONV,
    replace(CONV, index=3, layer="conv_2", type="FLOAT32", weight_type="FLOAT16", bytes=1024, ms=0.5,
            inputs=(0,), unpacks=2),
    replace(ADD, index=4),
)  # fmt: skip


def test_each_operator_is_a_box_with_its_figures() -> None:
    graph = network_graph(NETWORK) or ""
    words = re.findall(r'class="value op [^>]*aria-label="([^"]*)"', graph)
    assert words[0] == (
        "0: CONV_2D, conv_1, int8, int4 weights, output 1x8x8x16, weights 2 KB, MACs 13,800, time 0.25 ms, "
        "noise added 1 %"
    )
    assert words[1].endswith("noise added 1 %, with 2 operators that unpack its constants")
    assert "2 operators that only unpack weights are counted with the operators that read them" in graph
    assert len(words) == 3 and graph.count("<path d=") == 3  # edges
    assert graph.count('tabindex="0"') == 3  # the first box, the region that scrolls, the table
    assert len(re.findall(r"<tr><td", graph)) == 3
    assert all(f">{text}<" in graph for text in ("2 KB · 13,800 MACs", "int4 weights", "1x8x8x16", "#3"))


def test_colours_are_shares_of_the_largest() -> None:
    graph = network_graph(NETWORK) or ""
    assert re.findall(r"--by-size:([\d.]+)", graph) == ["1.000", "0.500", "0.000"]
    assert re.findall(r"--by-time:([\d.]+)", graph) == ["0.500", "1.000", "0.000"]
    assert re.findall(r'type="radio"[^>]*value="(\w+)"', graph) == [
        "size",
        "time",
        "macs",
        "error",
        "precision",
    ]
    plain = network_graph([replace(op, ms=None, added_noise=None) for op in NETWORK]) or ""
    assert re.findall(r'type="radio"[^>]*value="(\w+)"', plain) == ["size", "macs", "precision"]


def test_precisions_have_colours_with_a_legend() -> None:
    graph = network_graph(NETWORK) or ""
    assert re.findall(r'class="value op (\w+)"', graph) == ["int4", "float16", "int8"]
    assert re.findall(r'class="swatch op (\w+)"', graph) == ["int4", "int8", "float16"]
    assert "up to 2 KB" in graph and "up to 0.5 ms" in graph


def test_columns_without_a_value_are_left_out() -> None:
    heads = re.findall(r"<th [^>]*>([^<]*)", network_graph([replace(ADD, added_noise=None, inputs=())]) or "")
    assert heads == ["#", "operator", "precision", "output"]


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


def chain(count: int) -> list[NetworkOperator]:
    """Operators in a row; every fifth also reads the one five before it."""
    return [
        replace(ADD, index=n, inputs=tuple(m for m in (n - 5 if n % 5 == 0 else -1, n - 1) if m >= 0))
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 400])
def test_graphs_of_any_size(count: int) -> None:
    assert (network_graph(chain(count)) or "").count('class="value op') == count


def test_a_graph_of_too_many_operators_is_a_table_only() -> None:
    graph = network_graph(chain(MAX_DRAWN + 1)) or ""
    assert "<svg" not in graph and "more than 2,000 operators are not drawn" in graph


def test_a_long_chain_is_about_as_wide_as_high() -> None:
    drawing = lay_out(chain(300))
    assert 0.8 < drawing.width / drawing.height < 2.5


@pytest.mark.parametrize("count", [12, 100])
def test_no_line_passes_behind_a_box(count: int) -> None:
    drawing = lay_out(chain(count))
    assert len(set(drawing.boxes)) == count
    inside = [(x + 1, y + 1, x + BOX - 1, y + HIGH - 1) for x, y in drawing.boxes]
    for line in drawing.lines:
        for (x1, y1), (x2, y2) in itertools.pairwise(line):
            assert x1 == x2 or y1 == y2
            low, high = sorted(((x1, y1), (x2, y2)))
            for left, top, right, bottom in inside:
                assert low[0] > right or high[0] < left or low[1] > bottom or high[1] < top
            assert min(x1, x2) >= 0 and max(x1, x2) <= drawing.width and max(y1, y2) <= drawing.height

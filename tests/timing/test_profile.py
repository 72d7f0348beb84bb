from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.inspection.test_inspect_file import converted  # noqa: F401
from tests.timing.models import dense
from tflite_compress.data.raw import random_data
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.flatbuffer import operator_names, unpack
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.timing.prefixes import cut_model, find_cuts
from tflite_compress.timing.profile import profile, profile_content
from tflite_compress.timing.roofline import measure_roofline

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_the_last_prefix_is_the_model(converted: dict[str, Path], name: str) -> None:  # noqa: F811
    content = converted[name].read_bytes()
    cuts = list(cut_model(content))
    assert [cut.index for cut in cuts] == find_cuts(unpack(content))
    kinds = [len([k for k in operator_names(c.content) if k != "DEQUANTIZE"]) for c in cuts]
    assert kinds == sorted(kinds) and all(len(a.content) <= len(content) for a in cuts)
    for cut in cuts:
        Path("cut.tflite").write_bytes(cut.content)
        assert read_validated("cut.tflite") == cut.content
    outputs = []
    for file in (content, cuts[-1].content):
        ports = read_signature(file)
        samples = random_data(ports, 1)
        named = LiteRTModel(file, tuple(p.name for p in ports.inputs), tuple(p.name for p in ports.outputs))
        named.set_inputs(tuple(x[0] for x in samples.real))
        named.invoke()
        outputs.append(named.outputs()[0])
    assert np.array_equal(*outputs)


def test_a_branch_stays_alive(converted: dict[str, Path]) -> None:  # noqa: F811
    """Behind the branch the cut gives both what goes round it and the branch itself."""
    cuts = list(cut_model(converted["float32"].read_bytes()))
    assert [len(read_signature(c.content).outputs) for c in cuts][:3] == [1, 2, 1]


@pytest.mark.parametrize("kernels", ["xnnpack", "no-delegate"])
@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_every_operator_gets_its_row(converted: dict[str, Path], name: str, kernels: Any) -> None:  # noqa: F811
    found = profile(converted[name], kernels=kernels, seconds=0.2)
    rows = [row for row in found.rows if row.macs]
    assert [row.operator for row in rows] == ["CONV_2D", "CONV_2D", "FULLY_CONNECTED"]
    assert [row.layer.partition("_")[0] for row in rows[:2]] == ["first", "branch"]
    assert found.total_ms > 0 and "growing prefixes" in found.method


def test_many_operators_are_refused_before_anything_is_cut() -> None:
    """All cuts of a large model together take gigabytes."""
    content = dense(256, 60)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="60 operators; 1 to 20"):
            profile_content(content, "dense", max_operators=20)
        assert tracemalloc.get_traced_memory()[1] < 6 * len(content)
    finally:
        tracemalloc.stop()


def test_the_heavy_operator_takes_the_time(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense(1024, 3))
    code, out, _ = run("profile", str(path), "--seconds=0.5", "--json")
    found = json.loads(out)
    assert code == 0 and len(found["rows"]) == 3 and found["kind"] == "measured"
    assert all(row["macs"] == 1024**2 for row in found["rows"])
    told = [row for row in found["rows"] if row["low_ms"] > 0]
    assert told and all(r["gmacs_per_s"] == pytest.approx(r["macs"] / r["ms"] / 1e6) for r in told)
    assert {row["bound"] for row in found["rows"]} == {"memory"}
    code, out, _ = run("profile", str(path), "--seconds=0.2")
    assert code == 0 and "GMAC/s" in out and "layer_1" in out


def test_the_machine_at_its_best() -> None:
    best = measure_roofline({"FLOAT32", "INT8", "BOOL"}, "xnnpack", 1)
    assert set(best.gmacs_per_s) == {"FLOAT32", "INT8"} and best.gbytes_per_s > 0.5
    assert best.attainable("FLOAT32", 10**9, 1) == best.gmacs_per_s["FLOAT32"]
    assert best.attainable("FLOAT32", 1, 10**6) == pytest.approx(best.gbytes_per_s / 1e6)
    assert best.attainable("BOOL", 1, 1) is None and best.attainable("INT8", 0, 1) is None


@pytest.mark.parametrize("words", [[], ["none.tflite"], ["{}", "--kernels=tflm"], ["{}", "--threads=many"]])
def test_mistakes(run: Run, tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense(16))
    code, _, err = run("profile", *(w.format(path) for w in words))
    assert code == 2 and err and "Traceback" not in err

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tests.inspection.test_inspect_file import converted  # noqa: F401
from tests.needs import slow
from tests.runtimes.stateful import accumulator
from tests.timing.models import dense
from tflite_compress.data.raw import random_data
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.tflite.flatbuffer import operator_names, unpack
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.timing import cut_timing
from tflite_compress.timing.cut_timing import CutPlan, CutSettings, time_cuts
from tflite_compress.timing.interleaved import Contender, load_into
from tflite_compress.timing.prefixes import CutModel, find_cuts
from tflite_compress.timing.profile import profile, profile_content
from tflite_compress.timing.roofline import measure_roofline
from tflite_compress.timing.timed_process import Child, Loaded


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_the_last_prefix_is_the_model(converted: dict[str, Path], name: str) -> None:  # noqa: F811
    content = converted[name].read_bytes()
    model = CutModel(content)
    assert model.cuts == find_cuts(unpack(content))
    cuts = [model.cut(place) for place in model.cuts]
    kinds = [len([k for k in operator_names(c) if k != "DEQUANTIZE"]) for c in cuts]
    assert kinds == sorted(kinds) and all(len(a) <= len(content) for a in cuts)
    for cut in cuts:
        Path("cut.tflite").write_bytes(cut)
        assert read_validated("cut.tflite") == cut
    outputs = []
    for file in (content, cuts[-1]):
        ports = read_signature(file)
        samples = random_data(ports, 1)
        named = LiteRTModel(file, tuple(p.name for p in ports.inputs), tuple(p.name for p in ports.outputs))
        named.set_inputs(tuple(x[0] for x in samples.real))
        named.invoke()
        outputs.append(named.outputs()[0])
    assert np.array_equal(outputs[0], outputs[1])


def test_a_cut_keeps_every_tensor_that_later_operators_read(converted: dict[str, Path]) -> None:  # noqa: F811
    """Behind the branch the cut gives both what goes round it and the branch itself."""
    model = CutModel(converted["float32"].read_bytes())
    assert [len(read_signature(model.cut(place)).outputs) for place in model.cuts[:3]] == [1, 2, 1]


@pytest.mark.parametrize("kernels", ["xnnpack", "no-delegate"])
@pytest.mark.parametrize("name", ["float32", slow("float16"), "int8"])
def test_every_operator_gets_its_row(converted: dict[str, Path], name: str, kernels: Any) -> None:  # noqa: F811
    found = profile(converted[name], kernels=kernels, seconds=1.0)
    rows = [row for row in found.rows if row.macs]
    assert [row.operator for row in rows] == ["CONV_2D", "CONV_2D", "FULLY_CONNECTED"]
    assert [row.layer.partition("_")[0] for row in rows[:2]] == ["first", "branch"]
    assert found.total_ms > 0 and "growing prefixes" in found.method


def test_many_operators_are_timed_in_groups() -> None:
    """The rows cover all operators, memory stays bounded, and the note says how many cuts were timed."""
    content = dense(256, 60)
    start = time.perf_counter()
    found = profile_content(content, "dense", seconds=0.1)
    assert time.perf_counter() - start < 60
    assert sum(1 + len(row.joined) for row in found.rows) == 60 and found.rows[-1].index == 59
    assert sum(row.macs or 0 for row in found.rows) == 60 * 256**2
    limited = [note for note in found.notes if note.code == "cuts-limited"]
    assert bool(limited) == (len(found.rows) < 60)


def test_few_cuts_are_loaded_at_once() -> None:
    """Batches share one cut, so that every operator's time is the difference of two cuts in one process."""
    model = CutModel(dense(64, 7))
    inputs = random_data(read_signature(dense(64, 7)), 1).raw
    done: list[int] = []
    plan = CutPlan(tuple(model.cuts), at_once=3)
    found = time_cuts(model, plan, CutSettings(inputs, "xnnpack", 1, 0.2), done.append)
    assert done == [3, 2, 2] and found.places == model.cuts and len(found.own_ms) == 7


@pytest.mark.parametrize("crash", [False, True])
def test_a_refused_cut_joins_the_next_operator(monkeypatch: pytest.MonkeyPatch, crash: bool) -> None:
    content = dense(64, 4)
    second = CutModel(content).cut(1)
    real = load_into

    def load(child: Child, contender: Contender, folder: Path) -> Loaded:
        if contender.content == second and crash:
            child._process.kill()
        elif contender.content == second:
            contender = replace(contender, content=b"not a model")
        return real(child, contender, folder)

    monkeypatch.setattr(cut_timing, "load_into", load)
    found = profile_content(content, "dense", seconds=0.5)
    assert [(row.index, row.joined) for row in found.rows] == [
        (0, ()),
        (2, ("FULLY_CONNECTED",)),
        (3, ()),
    ]
    (note,) = found.notes
    assert note.code == "cuts-refused" and "behind operator 1, FULLY_CONNECTED" in note.text
    assert found.rows[1].kinds == "2 FULLY_CONNECTED"


def test_operators_without_outputs_belong_to_the_next(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "stream.tflite"
    path.write_bytes(accumulator())
    code, out, _ = run("profile", path, "--seconds=0.2", "--json")
    rows = json.loads(out)["rows"]
    assert code == 0 and [row["operator"] for row in rows] == ["READ_VARIABLE", "ASSIGN_VARIABLE"]
    assert [row["joined"] for row in rows] == [["CALL_ONCE", "VAR_HANDLE"], ["ADD"]]


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


def test_the_roofline_is_the_lower_of_compute_and_memory() -> None:
    best = measure_roofline({"FLOAT32", "INT8", "BOOL"}, "xnnpack", 1)
    assert set(best.gmacs_per_s) == {"FLOAT32", "INT8"} and best.gbytes_per_s > 0.5
    assert best.attainable("FLOAT32", 10**9, 1) == best.gmacs_per_s["FLOAT32"]
    assert best.attainable("FLOAT32", 1, 10**6) == pytest.approx(best.gbytes_per_s / 1e6)
    assert best.attainable("BOOL", 1, 1) is None and best.attainable("INT8", 0, 1) is None


@pytest.mark.parametrize("words", [[], ["none.tflite"], ["{}", "--kernels=tflm"], ["{}", "--threads=many"]])
def test_wrong_arguments_exit_with_code_2(run: Run, tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense(16))
    code, _, err = run("profile", *(w.format(path) for w in words))
    assert code == 2 and err and "Traceback" not in err

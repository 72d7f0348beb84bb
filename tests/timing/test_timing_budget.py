"""A time budget bounds benchmark and profile: what was timed is kept, and a note says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run
from tests.support.test_time_budget import Clock
from tests.timing.models import dense
from tflite_compress.data.raw import random_data
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult
from tflite_compress.support.errors import TimeUsedError
from tflite_compress.support.progress import Silent
from tflite_compress.support.time_budget import TimeBudget
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.timing import cut_timing, interleaved
from tflite_compress.timing.cut_timing import CutPlan, CutSettings, time_cuts
from tflite_compress.timing.interleaved import Contender, Timing, load_into, time_contenders
from tflite_compress.timing.prefixes import CutModel
from tflite_compress.timing.profile import profile
from tflite_compress.timing.remote import time_on_device
from tflite_compress.timing.timed_process import Child, Loaded


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense(16, 3))
    return path


def test_what_the_time_leaves_out_is_named(run: Run, file: Path) -> None:
    """Nothing was timed, and the table still says of which file and batch."""
    code, out, _ = run("benchmark", file, "--batches=1,4", "--kernels=xnnpack", "--time-budget=0.000001s")
    assert code == 2 and "A, xnnpack, 1 thread: LiteRT did not answer before the time budget was used" in out
    assert out.count("not measured: the time budget was used") == 2
    words = " ".join(out.split())
    assert (
        "the time budget of 1e-06 s was used: 1 of 1 contenders not timed; time of the call from Python not "
        "measured; throughput measured for 0 of 2 batches"
    ) in words


def test_a_budget_that_suffices_changes_nothing(run: Run, file: Path) -> None:
    code, out, _ = run("benchmark", file, "--kernels=xnnpack", "--seconds=0.05", "--time-budget=5m", "--json")
    assert code == 0 and "time-budget-used" not in [note["code"] for note in json.loads(out)["notes"]]


def test_processes_that_do_not_finish_are_left_out(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first processes were timed; the second ones meet the end of the budget."""
    clock, started = Clock(), interleaved.start_contender
    calls: list[Contender] = []

    def start(contender: Contender) -> object:
        calls.append(contender)
        clock.now += 100 * (len(calls) == 2)
        return started(contender)

    monkeypatch.setattr(interleaved, "start_contender", start)
    content = file.read_bytes()
    one = Contender("dense", content, random_data(read_signature(content), 1).raw)
    budget = TimeBudget(60, clock)
    (timing,), _ = time_contenders([one], 0.03, Silent(), budget=budget)
    assert isinstance(timing, Timing) and len(timing.times) == 1
    assert budget.notes[0].text == "the time budget of 60 s was used: timed in 1 of 3 processes"


def test_complete_rounds_on_a_device_are_kept() -> None:
    clock = Clock()

    def device(content: bytes, inputs: Arrays) -> RunResult:
        clock.now += 10
        return RunResult("board", None, (Measurement("latency", 1.0, "ms", "measured", "device"),))

    files = [(name, name.encode(), (np.zeros((1, 2), np.float32),)) for name in "ab"]
    budget = TimeBudget(25, clock)
    timings = time_on_device(files, device, Silent(), budget=budget)
    assert [(t.name, len(t.results)) for t in timings] == [("a", 1), ("b", 1)]
    assert budget.notes[0].text == "the time budget of 25 s was used: 3 of 6 runs on the device made"
    with pytest.raises(TimeUsedError, match="no file was timed before"):
        time_on_device(files, device, Silent(), budget=TimeBudget(0.0, clock))


def test_a_partial_profile_says_how_many_operators_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget ends while the second batch is loaded: the rows of the first are kept."""
    content, loads, real = dense(16, 6), iter(range(4)), load_into

    def load(child: Child, contender: Contender, folder: Path) -> Loaded:
        if next(loads, None) is None:
            raise TimeUsedError("LiteRT did not answer before the time budget was used", None)
        return real(child, contender, folder)

    monkeypatch.setattr(cut_timing, "load_into", load)
    model, inputs = CutModel(content), random_data(read_signature(content), 1).raw
    plan = CutPlan(tuple(model.cuts), at_once=3, whole_ms=(2.0, 3.0))
    found = time_cuts(model, plan, CutSettings(inputs, "xnnpack", 1, 0.05), lambda units: None)
    assert found.places == model.cuts[:3] and list(found.total_ms) == [2.0, 3.0]


def test_profile_ends_with_its_budget(file: Path) -> None:
    with pytest.raises(TimeUsedError, match="did not answer before the time budget was used"):
        profile(file, time_budget_seconds=1e-6)


def test_a_profile_within_its_budget_has_all_operators(file: Path) -> None:
    found = profile(file, seconds=0.1, time_budget_seconds=120)
    assert len(found.rows) == 3 and found.roofline is not None and not found.notes

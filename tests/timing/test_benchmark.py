from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Run
from tflite_compress.runtimes.run_result import Measurement, RunResult
from tflite_compress.support.errors import ModelError, UsageError
from tflite_compress.support.progress import Silent
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.timing.benchmark import benchmark
from tflite_compress.timing.interleaved import Contender, Timing, time_contenders
from tflite_compress.timing.overhead import build_empty_model, measure_call_overhead
from tflite_compress.timing.profile import profile
from tflite_compress.timing.remote import compare_on_device, time_on_device


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small and a large dense model as float ``.tflite``."""
    from tests.timing.models import dense

    folder = tmp_path_factory.mktemp("timed")
    for name, width in (("small", 16), ("large", 1024)):
        (folder / f"{name}.tflite").write_bytes(dense(width))
    return folder / "small.tflite", folder / "large.tflite"


def contender(path: Path, kernels: Any = "xnnpack") -> Contender:
    content = path.read_bytes()
    shape = (1, 1, 16) if "small" in path.name else (1, 1, 1024)
    return Contender(str(path), content, (np.ones(shape, np.float32),), kernels)


@pytest.mark.slow
def test_the_larger_model_is_slower(run: Run, files: tuple[Path, Path]) -> None:
    small, large = map(str, files)
    code, out, _ = run("benchmark", small, large, "--seconds=0.3", "--batches=1,4", "--json")
    found = json.loads(out)
    assert code == 0 and found["kind"] == "measured" and found["call_overhead_ms"] > 0
    beside = [c for c in found["comparisons"] if c["what"] == "file"]
    assert len(beside) == 2 and all(c["words"] == "slower" and c["ratio"]["low"] > 1 for c in beside)
    delegates = [c for c in found["comparisons"] if c["what"] == "delegate"]
    assert len(delegates) == 2 and all("xnnpack" in c["name"] for c in delegates)
    for timing in found["timings"]:
        steady = timing["steady_state"]
        assert 0 < steady["median_ms"]["value"] <= steady["p90_ms"] <= steady["p99_ms"]
        assert timing["load_ms"] > 0 and timing["first_ms"] > 0 and timing["warm_up_runs"] > 0
        assert timing["peak_bytes"] > timing["model_bytes"] > 0
    rates = {t["batch"]: t["samples_per_s"] for t in found["throughput"] if "small" in t["name"]}
    assert set(rates) == {1, 4} and all(rate > 0 for rate in rates.values())


@pytest.mark.slow
def test_the_comparison_is_printed(run: Run, files: tuple[Path, Path]) -> None:
    code, out, _ = run("benchmark", *map(str, files), "--seconds=0.2", "--kernels=xnnpack", "--threads=1,2")
    assert (
        code == 0
        and "A: " in out
        and re.search(r"B, xnnpack, 1 thread: [\d.,]+x slower \([\d.,]+x to [\d.,]+x\) than A, xnnpack", out)
        and "95 %" in out
    )


def test_the_overhead_of_an_empty_call_is_measured() -> None:
    assert len(build_empty_model()) < 400 and measure_call_overhead(500) > 0


def test_tflite_micro(files: tuple[Path, Path]) -> None:
    found = benchmark(files[0], runtime="tflm", seconds=0.2)
    assert [t.contender.kernels for t in found.timings] == ["tflm"]
    assert "reference-kernels" in [note.code for note in found.notes]


def test_what_one_runtime_refuses_does_not_stop_the_others(files: tuple[Path, Path], tmp_path: Path) -> None:
    broken = Contender("broken", b"not a model", (np.ones((1, 1), np.float32),))
    found, _ = time_contenders([broken, contender(files[0])], 0.2, Silent(), processes=1)
    assert isinstance(found[0], ModelError) and "LiteRT" in found[0].message
    assert isinstance(found[1], Timing) and found[1].summary.runs > 10
    with pytest.raises(ModelError):
        benchmark(tmp_path / "none.tflite")


def test_files_on_a_device_are_interleaved() -> None:
    asked: list[bytes] = []

    def device(content: bytes, inputs: Any) -> RunResult:
        asked.append(content)
        ms = 2.0 if content == b"a" else 1.0
        return RunResult(
            "board", None, (Measurement("latency", ms + len(asked) / 100, "ms", "measured", "there"),)
        )

    files = [(name, name.encode(), (np.zeros((1, 1)),)) for name in ("a", "b")]
    a, b = time_on_device(files, device, Silent())
    assert asked == [b"a", b"b", b"b", b"a", b"a", b"b"]
    assert a.median_ms.low < a.median_ms.value < a.median_ms.high
    assert compare_on_device(b, a).value == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "MODEL is missing"),
        (["{}", "--kernels=xnpack"], "Did you mean 'xnnpack'"),
        (["{}", "--threads=0"], "expected a whole number"),
        (["{}", "--runtime=vela"], "cannot be timed"),
        (["{}", "--runtime=tflm", "--threads=2"], "one thread"),
        (["{}", "--seconds=soon"], "expected a time"),
        (["nowhere.tflite"], "nowhere.tflite"),
    ],
)
def test_wrong_arguments_exit_with_code_2(
    run: Run, files: tuple[Path, Path], words: list[str], complaint: str
) -> None:
    code, _, err = run("benchmark", *(w.format(files[0]) for w in words))
    assert code == 2 and complaint in err


def test_a_device_with_several_threads(files: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="one number of threads"):
        benchmark(files[0], runtime="ssh:nowhere", threads=(1, 2))
    assert read_validated(files[0])


@pytest.mark.slow
def test_results_have_a_short_repr_and_html(files: tuple[Path, Path]) -> None:
    found = benchmark(*files, seconds=0.1, kernels=("xnnpack",))
    assert "small.tflite" in repr(found) and len(repr(found)) < 1000
    assert all(len(repr(timing)) < 1000 for timing in found.timings)
    assert found._repr_html_().count("<tr>") == 3
    operators = profile(files[0], seconds=0.1)
    assert "FULLY_CONNECTED" in repr(operators) and len(repr(operators)) < 1000
    assert operators._repr_html_().count("<tr>") == len(operators.rows) + 1

"""LiteRT's GPU accelerator on Mesa's lavapipe: real outputs, real refusals, real missing drivers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run
from tests.runtimes.gpu_files import WIDTH
from tests.runtimes.refused import single
from tests.runtimes.stateful import accumulator, delay
from tests.timing.models import dense
from tflite_compress.runtimes import gpu_driver as module
from tflite_compress.runtimes import gpu_jobs
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.gpu import computed_on_cpu
from tflite_compress.runtimes.gpu_errors import GpuError
from tflite_compress.runtimes.gpu_jobs import GpuFile, GpuRun, run_on_gpu, run_one_on_gpu
from tflite_compress.runtimes.gpu_log import Refusal
from tflite_compress.runtimes.gpu_probe import PROBE_INPUT, is_float16, probe_file
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.support.errors import UsageError
from tflite_compress.tflite.assemble import Assembly

SAMPLES = 3
SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
ENDLESS = """
import sys, time
print("== file 0\\nERROR: last words", file=sys.stderr, flush=True)
time.sleep(600)
"""
CRASHING = """
import os, sys
print("== file 0", file=sys.stderr)
print("ERROR: last words", file=sys.stderr, flush=True)
os.kill(os.getpid(), 11)
"""
COUNTS = np.arange(12, dtype=np.float32).reshape(3, 1, 4)
GATHER = {"x": ((2, 4), "FLOAT32"), "indices": ((1, 1), "INT32")}


def samples(width: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((SAMPLES, 1, width)).astype(np.float32)


@pytest.fixture(scope="module")
def runs(gpu_driver: Path) -> list[GpuRun | GpuError]:
    """Several files in one child: good, damaged, refused in part, refused by the loader, good."""
    files = [
        GpuFile(dense(4), (samples(4),)),
        GpuFile(b"TFL3" * 20),
        GpuFile(single("GATHER_ND", GATHER, ((1, 4), "FLOAT32"))),
        GpuFile(single("UNPACK", {"x": ((2, 4), "FLOAT32")}, ((4,), "FLOAT32"))),
        GpuFile(dense(8), (samples(8),)),
        GpuFile(probe_file(), (PROBE_INPUT,)),
        GpuFile(accumulator(), (COUNTS,)),
        GpuFile(delay(), (COUNTS,)),
    ]
    return run_on_gpu(files)


@pytest.mark.parametrize(("place", "width"), [(0, 4), (4, 8)])
def test_outputs_are_those_of_float16(runs: list[GpuRun | GpuError], place: int, width: int) -> None:
    """Each sample is computed; the difference from float32 is that of 11 significant bits."""
    run = runs[place]
    expected = host_runtime(seconds=0)(dense(width), (samples(width),)).outputs
    assert isinstance(run, GpuRun) and run.outputs is not None and expected is not None
    assert run.log.is_whole and run.adapter.is_software and len(run.times_ms) == SAMPLES - 1
    assert run.outputs[0].shape == expected[0].shape == (SAMPLES, 1, width)
    gap = np.abs(run.outputs[0] - expected[0]).max() / np.abs(expected[0]).max()
    assert 1e-5 < gap < 5e-3


def test_float16_is_told_from_float32(runs: list[GpuRun | GpuError]) -> None:
    run = runs[5]
    assert isinstance(run, GpuRun) and run.outputs is not None and is_float16(run.outputs[0])
    exact = run_one_on_gpu(probe_file(), (PROBE_INPUT,), "float32")
    assert exact.outputs is not None and np.array_equal(exact.outputs[0], 2 * PROBE_INPUT)


def test_each_sample_starts_from_a_fresh_state(runs: list[GpuRun | GpuError]) -> None:
    run = runs[6]
    assert isinstance(run, GpuRun) and run.outputs is not None
    assert np.array_equal(run.outputs[0], COUNTS)  # nothing is added up


def test_variable_tensors_are_refused_with_what_to_do(runs: list[GpuRun | GpuError]) -> None:
    found = runs[7]
    assert isinstance(found, GpuError) and "Variable tensors not yet supported" in found.message
    assert "unroll=True" in str(found.hint)


def test_a_refused_operator_is_named_with_its_reason(runs: list[GpuRun | GpuError]) -> None:
    run = runs[2]
    assert isinstance(run, GpuRun)
    assert run.log.refused == (Refusal("GATHER_ND", "Operation is not supported"),) and not run.log.is_whole
    assert (run.log.on_gpu, run.log.on_cpu) == (0, 1)


def test_weights_that_are_converted_once_are_not_counted(runs: list[GpuRun | GpuError]) -> None:
    """The log counts a DEQUANTIZE of stored weights as an operator on the CPU."""
    run = runs[2]
    assert isinstance(run, GpuRun)
    graph = Assembly("halves")
    half = graph.constant("half", np.ones((1, WIDTH), np.float16))
    wide = graph.operator("DEQUANTIZE", [half], "wide", (1, WIDTH), "float32")
    x = graph.tensor("x", (1, WIDTH), "float32")
    y = graph.operator("ADD", [x, wide], "y", (1, WIDTH), "float32", graph.options("AddOptions"))
    content = graph.finished({"x": x}, {"y": y})
    assert computed_on_cpu(content, replace(run.log, on_cpu=3)) == 2
    assert computed_on_cpu(content, replace(run.log, on_cpu=0)) == 0


def test_files_that_the_loader_refuses(runs: list[GpuRun | GpuError]) -> None:
    """The files behind them still run."""
    damaged, unpack = runs[1], runs[3]
    assert isinstance(damaged, GpuError) and damaged.cause == "refused" and "Flatbuffer" in damaged.message
    assert isinstance(unpack, GpuError) and "operator 0, UNPACK" in unpack.message and unpack.log


def test_a_child_that_takes_too_long_is_an_error_with_its_log(
    gpu_driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for native code that never ends."""
    (Path.cwd() / "child.py").write_text(ENDLESS)
    monkeypatch.setattr(gpu_jobs, "CHILD", Path.cwd() / "child.py")
    first, second = run_on_gpu([GpuFile(dense(4))] * 2, limit_seconds=2)
    for found in (first, second):
        assert isinstance(found, GpuError) and found.cause == "time" and "did not finish" in found.message
        assert "ERROR: last words" in found.log


def test_a_crash_ends_one_file_and_not_the_others(gpu_driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for native code that crashes on the first file of each process."""
    (Path.cwd() / "child.py").write_text(CRASHING)
    monkeypatch.setattr(gpu_jobs, "CHILD", Path.cwd() / "child.py")
    first, second = run_on_gpu([GpuFile(dense(4)), GpuFile(dense(8))])
    for found in (first, second):
        assert isinstance(found, GpuError) and found.cause == "crash" and "SIGSEGV" in found.message
        assert "ERROR: last words" in found.log


def test_too_little_memory_is_an_error(gpu_driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than the child's imports need: what the driver needs differs by machine and by run."""
    monkeypatch.setattr(gpu_jobs, "MEMORY_BYTES", 100 << 20)
    (found,) = run_on_gpu([GpuFile(dense(64), (samples(64),))])
    assert isinstance(found, GpuError) and found.cause in ("memory", "crash") and found.log


def test_without_a_driver_the_machine_has_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere/icd.json")
    monkeypatch.setenv("VK_DRIVER_FILES", "/nowhere/icd.json")
    with pytest.raises(GpuError, match="finds no usable GPU: vkCreateInstance") as caught:
        run_one_on_gpu(dense(4), driver="device")
    assert caught.value.cause == "driver" and "setup-gpu" in str(caught.value.hint)


def test_a_software_driver_is_no_gpu_of_the_machine(
    gpu_driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in module.software_environment(gpu_driver).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(GpuError, match=r"driver is llvmpipe .*, not a GPU"):
        run_one_on_gpu(dense(4), driver="device")


def test_a_driver_without_float16_is_found_out(gpu_driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium's SwiftShader, as if it were a GPU."""
    if not SWIFTSHADER.exists():
        pytest.skip(f"needs {SWIFTSHADER}: apt-get install chromium")
    for name in ("VK_ICD_FILENAMES", "VK_DRIVER_FILES"):
        monkeypatch.setenv(name, str(SWIFTSHADER))
    monkeypatch.setattr(module, "software_environment", lambda folder: {})
    probe = run_one_on_gpu(probe_file(), (PROBE_INPUT,))
    assert "SwiftShader" in probe.adapter.name and probe.outputs is not None
    assert not is_float16(probe.outputs[0])
    as_gpu = replace(probe, log=replace(probe.log, adapter=replace(probe.adapter, is_software=False)))
    with pytest.raises(GpuError, match=r"SwiftShader .* has no float16"):
        gpu_jobs._require_gpu(as_gpu, "float16")
    gpu_jobs._require_gpu(as_gpu, "float32")


def test_the_runtime_asks_for_the_driver_where_it_is_not_set_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TFLITE_COMPRESS_GPU", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="not set up") as caught:
        find_runtime("litert-gpu", Remote())(dense(4), (samples(4),))
    assert "setup-gpu" in str(caught.value.hint)


def test_a_wheel_without_the_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ACCELERATORS", ())
    with pytest.raises(UsageError, match="no GPU accelerator"):
        module.driver_environment("device")


def test_verify_states_the_tolerance_of_float16(run: Run, gpu_driver: Path, tmp_path: Path) -> None:
    (tmp_path / "dense.tflite").write_bytes(dense(4))
    code, out, _ = run("verify", "dense.tflite", "--runtime=litert-gpu", "--json")
    (half,) = json.loads(out)
    assert code == 0 and half["same"]
    assert half["differences"][0]["rule"].startswith("2.00% of the range") and "float16" in half["version"]

"""LiteRT, TFLite Micro, Vela and the emulated Pi, asked about the same file."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.data.raw import random_data
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes import emulator as emulation
from tflite_compress.runtimes import isolated as child
from tflite_compress.runtimes import vela
from tflite_compress.runtimes.by_name import Remote, find_runtime
from tflite_compress.runtimes.compare import compare
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.run_result import Arrays, RunResult
from tflite_compress.runtimes.tflm import TFLMModel
from tflite_compress.runtimes.tflm_runtime import micro_runtime
from tflite_compress.support.errors import ModelError, UsageError
from tflite_compress.tflite.kernel_sets import KERNELS
from tflite_compress.tflite.scratch import measure_kernel_memory
from tflite_compress.tflite.tensor_specs import read_signature


@pytest.fixture(scope="module")
def content(int8_file: Path) -> bytes:
    return int8_file.read_bytes()


@pytest.fixture(scope="module")
def inputs(content: bytes) -> Arrays:
    return random_data(read_signature(content), 16).raw


def test_litert_with_either_kernels(content: bytes, inputs: Arrays) -> None:
    fast, plain = host_runtime(threads=2)(content, inputs), host_runtime(reference=True)(content, inputs)
    assert fast.outputs is not None and plain.outputs is not None
    assert fast.outputs[0].shape == (16, 1, 10) and fast.outputs[0].dtype == np.int8
    assert np.mean(fast.outputs[0].argmax(-1) == plain.outputs[0].argmax(-1)) > 0.8
    latency = fast.measurement("latency")
    assert latency is not None and latency.kind == "measured" and latency.unit == "ms"


def test_tflite_micro_computes_what_litert_does(content: bytes, inputs: Arrays) -> None:
    micro, plain = micro_runtime(content, inputs), host_runtime(reference=True)(content, inputs)
    assert micro.outputs is not None and plain.outputs is not None
    assert np.array_equal(micro.outputs[0], plain.outputs[0])
    arena, head, tail = (micro.measurement(what) for what in ("arena", "arena head", "arena tail"))
    assert arena and head and tail and abs(head.value + tail.value - arena.value) <= 64
    TFLMModel(content, ("image",), ("digit",), arena_bytes=int(arena.value))


def test_the_arena_to_reserve_has_room_for_optimized_kernels(content: bytes, inputs: Arrays) -> None:
    answer = micro_runtime(content, inputs[:1])
    arena, reserve = answer.measurement("arena"), answer.measurement("arena to reserve")
    assert arena and reserve and reserve.kind == "estimated"
    extra = max(sum(vars(measure_kernel_memory(content, kernels)).values()) for kernels in KERNELS)
    assert extra > 0 and arena.value + extra <= reserve.value < arena.value + extra + 1024


@pytest.mark.slow
def test_the_emulated_pi_computes_what_this_machine_does(
    content: bytes, inputs: Arrays, compressed: Path, emulator: Path
) -> None:
    here, there = host_runtime(seconds=0)(content, inputs), emulation.emulated_runtime()(content, inputs)
    assert here.outputs is not None and there.outputs is not None and "aarch64" in there.runtime
    assert np.array_equal(here.outputs[0], there.outputs[0])
    assert there.measurement("latency") is None  # emulated time is not device time
    float16 = (compressed / "android-gpu" / "digits.tflite").read_bytes()
    real = random_data(read_signature(float16), 4).raw
    pair = [r(float16, real).outputs for r in (host_runtime(seconds=0), emulation.emulated_runtime())]
    assert pair[0] is not None and pair[1] is not None and np.allclose(pair[0][0], pair[1][0], atol=1e-6)


@pytest.mark.slow
def test_the_emulated_phone_says_what_differs(content: bytes, inputs: Arrays, emulator: Path) -> None:
    found = find_runtime("emulate:android-cpu", Remote())(content, inputs)
    here = host_runtime(seconds=0)(content, inputs)
    assert found.outputs is not None and here.outputs is not None
    assert np.array_equal(found.outputs[0], here.outputs[0])
    codes = [note.code for note in found.notes]
    assert codes == ["emulated", "emulated-core", "emulated-libc"]


def test_cores_that_qemu_has_not_are_named() -> None:
    notes = emulation.describe_emulation(load_device("android-cpu"), "cortex-a76")
    assert "Arm Cortex-A78" in notes[1].text and "SDOT" in notes[1].text and "glibc" in notes[2].text
    assert len(emulation.describe_emulation(load_device("raspberry-pi-5"), "cortex-a76")) == 1
    with pytest.raises(UsageError, match="the core of rp2040 cannot be emulated"):
        find_runtime("emulate:rp2040", Remote())


def test_without_set_up_the_emulator_says_what_to_do(
    content: bytes, inputs: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFLITE_COMPRESS_EMULATOR", str(tmp_path / "none"))
    with pytest.raises(UsageError) as caught:
        emulation.emulated_runtime()(content, inputs)
    assert "setup-emulator" in present(caught.value.hint)


@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
def test_vela_simulates_the_whole_int8_model(content: bytes, npu: str) -> None:
    compiled = vela.compile_for(content, npu)
    share, cycles, sram = (compiled.result.measurement(w) for w in ("operators on the NPU", "cycles", "sram"))
    assert share and share.value == 1 and not compiled.left_to_cpu
    assert cycles and cycles.kind == "simulated" and cycles.value > 1000
    assert sram and 1000 < sram.value < 100_000
    flash = compiled.result.measurement("flash")
    assert flash and 20_000 < flash.value < 60_000


def test_vela_names_what_stays_on_the_cpu(compressed: Path) -> None:
    floats_around = (compressed / "raspberry-pi-4" / "digits.tflite").read_bytes()
    compiled = vela.compile_for(floats_around, "ethos-u55-128")
    assert any("QUANTIZE" in line and "runs on the CPU" in line for line in compiled.left_to_cpu)
    share = compiled.result.measurement("operators on the NPU")
    assert share and 0 < share.value < 1


def test_unknown_npu_and_runtime(content: bytes) -> None:
    with pytest.raises(UsageError, match="ethos-u99"):
        vela.compile_for(content, "ethos-u99")
    with pytest.raises(UsageError, match="Did you mean 'emulate'"):
        find_runtime("emulat", Remote())
    with pytest.raises(UsageError, match="benchmark-model"):
        find_runtime("adb", Remote())


def test_a_damaged_file_is_refused_by_litert(keras: object) -> None:
    with pytest.raises(ModelError, match="LiteRT refuses"):
        host_runtime()(b"\x20\0\0\0TFL3" + bytes(40), ())


def test_a_crash_in_the_child_is_an_error_here() -> None:
    with pytest.raises(ModelError, match="crashes on the model \\(SIGSEGV\\)"):
        child.run_child([sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"], "It")
    with pytest.raises(ModelError, match="did not finish"):
        child.run_child([sys.executable, "-c", "import time; time.sleep(60)"], "It", seconds=0.5)
    done = child.run_child([sys.executable, "-c", "bytearray(1 << 36)"], "It")
    assert done.returncode == 1 and "MemoryError" in done.stderr


def test_comparison_tells_equal_from_different(content: bytes, inputs: Arrays) -> None:
    def spoilt(model: bytes, arrays: Arrays) -> RunResult:
        answer = host_runtime(seconds=0)(model, arrays)
        assert answer.outputs is not None
        from dataclasses import replace

        return replace(answer, outputs=tuple(y + np.int8(3) for y in answer.outputs))

    runtimes = {"tflm": micro_runtime, "spoilt": spoilt, "litert": host_runtime(seconds=0)}
    found = {c.runtime: c for c in compare(content, inputs, runtimes)}
    gap = found["tflm"].difference
    assert found["tflm"].is_same is True and gap is not None and gap.value == 0
    assert found["spoilt"].is_same is False
    assert found["litert"].is_same is None
    assert all(len(repr(c)) < 1000 and len(repr(c.result)) < 1000 for c in found.values())
    assert "differs from" in repr(found["spoilt"]) and "same as" in repr(found["tflm"])

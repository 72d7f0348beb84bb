"""What the Edge TPU's compiler does with each operator, and files that are compiled already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run
from tests.custom import rename_operator, window_file
from tflite_compress.checking.edgetpu import Plan, plan_compilation
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.judge import check
from tflite_compress.checking.verdict import Finding, Verdict
from tflite_compress.data.raw import random_data
from tflite_compress.profiles.devices import load_device, operator_sets
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.tensor_specs import read_signature


def verdict_of(content: bytes, device: str = "coral-edge-tpu") -> Verdict:
    return check(Evidence(content, random_data(read_signature(content), 1).raw), load_device(device))


def findings(verdict: Verdict, subject: str) -> list[Finding]:
    return [f for f in verdict.findings if f.subject == subject]


def plan(content: bytes) -> Plan:
    return plan_compilation(unpack(content), operator_sets()["edgetpu"])


def quantize(content: bytes) -> bytes:
    """Give int8 tensors a scale."""
    model, generated = unpack(content), schema()
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == generated.TensorType.INT8:
            tensor.quantization = generated.QuantizationParametersT()
            tensor.quantization.scale = np.array([1 / 256], np.float32)
            tensor.quantization.zeroPoint = np.array([-128], np.int64)
    return pack(model)


def chain(steps: list[tuple[str, str]], first: str = "int8", batch: int = 1) -> bytes:
    """A file of operators one after another, each with the type of its output."""
    assembly = Assembly("chain")
    shape = (batch, 1, 1, 4) if batch > 1 else (1, 4)
    last = start = assembly.tensor("x", shape, first)
    for index, (kind, dtype) in enumerate(steps):
        last = assembly.operator(kind, [last], f"y{index}", shape, dtype)
    return quantize(assembly.finished({"x": start}, {"y": last}))


def test_float_operators_at_the_end_run_on_the_cpu() -> None:
    """An int8 network that ends in float32, as detection networks do."""
    content = chain([("LOGISTIC", "int8"), ("TANH", "int8"), ("DEQUANTIZE", "float32"), ("EXP", "float32")])
    assert [p.cause for p in plan(content).placements] == [None, None, "operator", "operator"]
    verdict = verdict_of(content)
    operators, *_ = findings(verdict, "operators")
    assert verdict.fits and operators.fits is None and "maps 2 of 4" in operators.text
    assert findings(verdict, "types")[0].fits is None


def test_an_operator_on_the_cpu_ends_the_part_on_the_tpu() -> None:
    content = chain([("TANH", "int8"), ("ABS", "int8"), ("LOGISTIC", "int8")])
    found = plan(content)
    assert [p.cause for p in found.placements] == [None, "operator", "follows another"] and found.mapped == 1
    operators, *_ = findings(verdict_of(content), "operators")
    assert operators.hint is not None and "edgetpu_compiler -a" in operators.hint


def test_a_float_input_is_quantized_on_the_cpu() -> None:
    content = chain([("QUANTIZE", "int8"), ("TANH", "int8")], first="float32")
    assert [p.cause for p in plan(content).placements] == ["float input", None]
    assert verdict_of(content).fits


def test_uint8_files_are_8_bit_files() -> None:
    """The type of networks quantized with TensorFlow 1, as most of Coral's are."""
    model = unpack(chain([("TANH", "int8"), ("LOGISTIC", "int8")]))
    for tensor in model.subgraphs[0].tensors:
        tensor.type = schema().TensorType.UINT8
    content = pack(model)
    assert plan(content).mapped == 2
    assert [f.fits for f in verdict_of(content).findings if f.subject in ("operators", "types")] == [
        True,
        True,
    ]


def test_a_batch_over_1_runs_on_the_cpu() -> None:
    placement, *_ = plan(chain([("TANH", "int8")], batch=2)).placements
    assert placement.cause == "dimensions" and placement.detail == "2 x 1 x 1 x 4"


def test_nothing_for_the_tpu_does_not_fit() -> None:
    content = chain([("TANH", "float32")], first="float32")
    blocking = {f.subject for f in verdict_of(content).findings if f.is_blocking}
    assert blocking == {"operators", "types"}


def test_what_the_compiler_decides_is_said(int8_file: Path) -> None:
    verdict = verdict_of(int8_file.read_bytes())
    first, unchecked = findings(verdict, "operators")
    assert verdict.fits and first.fits and "supports all" in first.text
    assert unchecked.fits is None and "SOFTMAX: one dimension of at most 16,000 elements" in unchecked.text


def test_an_unknown_custom_operator_does_not_run_on_the_cpu() -> None:
    """LiteRT refuses it, and the compiler loads the file in LiteRT first."""
    content = rename_operator(chain([("TANH", "int8"), ("ABS", "int8")]), "ABS", "MyOwn")
    for device in ("coral-edge-tpu", "android-gpu", "raspberry-pi-4"):
        verdict = verdict_of(content, device)
        stops = [f.text for f in findings(verdict, "operators") if f.fits is False]
        assert not verdict.fits and "no MyOwn" in stops[0], device


def test_several_graphs_are_not_known() -> None:
    model = unpack(chain([("TANH", "int8")]))
    model.subgraphs.append(unpack(chain([("LOGISTIC", "int8")])).subgraphs[0])
    texts = [f.text for f in findings(verdict_of(pack(model)), "operators") if f.fits is None]
    assert any("2 graphs" in text and "does not say" in text for text in texts)


@pytest.mark.parametrize(
    ("operator", "fitting", "others"),
    [
        ("edgetpu-custom-op", "coral-edge-tpu", ["alif-ensemble-e7", "raspberry-pi-4", "rp2040"]),
        ("ethos-u", "alif-ensemble-e7", ["coral-edge-tpu", "raspberry-pi-4", "rp2040"]),
        ("DISPATCH_OP", None, ["android-npu", "coral-edge-tpu"]),
    ],
)
def test_compiled_files_are_recognized(operator: str, fitting: str | None, others: list[str]) -> None:
    content = rename_operator(chain([("TANH", "int8"), ("SOFTMAX", "int8")]), "TANH", operator)
    if fitting is not None:
        verdict = verdict_of(content, fitting)
        text = findings(verdict, "operators")[0].text
        assert verdict.fits and "already compiled" in text and "1 left to the CPU (SOFTMAX)" in text
        assert findings(verdict, "latency")[0].fits is None
    for device in others:
        verdict = verdict_of(content, device)
        assert [f.subject for f in verdict.findings if f.is_blocking] == ["operators"], device
        assert "compiled by" in findings(verdict, "operators")[0].text


def test_signal_operators_fit_microcontrollers_only(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "window.tflite"
    path.write_bytes(window_file())
    assert findings(verdict_of(window_file(), "stm32h743"), "operators")[0].fits
    assert findings(verdict_of(window_file(), "stm32h743"), "runs")[0].fits
    assert not verdict_of(window_file(), "raspberry-pi-4").fits
    assert run("bundle", path, "--device=rp2040", f"--out={tmp_path}/board")[0] == 0
    assert "resolver.AddWindow()" in (tmp_path / "board/src/window_ops.h").read_text()

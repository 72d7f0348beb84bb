"""What check says about a file for a phone's GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.runtimes.gpu_files import gathered, of_two_ranks
from tests.timing.models import dense, tensor
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.gpu_findings import check_gpu, describe_phones, describe_plan
from tflite_compress.checking.judge import check
from tflite_compress.data.raw import random_data
from tflite_compress.profiles.devices import load_device
from tflite_compress.runtimes.gpu_table import look_up
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.tensor_specs import read_signature


def evidence_of(content: bytes) -> Evidence:
    return Evidence(content, random_data(read_signature(content), 1).raw)


@pytest.fixture
def without_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TFLITE_COMPRESS_GPU", str(tmp_path / "none"))


def test_check_asks_the_accelerator(
    run: Callable[..., tuple[int, str, str]], gpu_driver: Path, tmp_path: Path
) -> None:
    (tmp_path / "gathered.tflite").write_bytes(gathered())
    code, out, _ = run("check", "gathered.tflite", "--device=android-gpu", "--json")
    (verdict,) = json.loads(out)
    assert code == 0 and verdict["gpu"]["is_live"] and verdict["gpu"]["crossing_bytes"] == 16
    assert [op["on_gpu"] for op in verdict["gpu"]["operators"]] == [True, True, False, False]
    texts = [f["text"] for f in verdict["findings"] if f["subject"] == "operators"]
    assert texts[0].startswith("the GPU computes 2 of 4 operators (ai-edge-litert")
    assert texts[1] == "GATHER_ND runs on the CPU (layer pick): Operation is not supported"


def test_check_says_that_the_table_answers(without_driver: None) -> None:
    verdict = check(evidence_of(gathered()), load_device("android-gpu"))
    first, second, *_ = [f for f in verdict.findings if f.subject == "operators"]
    assert verdict.fits and first.fits is None and "a table answers instead" in first.text
    assert "setup-gpu" in str(first.hint) and "table made with" in second.text
    assert verdict.gpu is not None and not verdict.gpu.is_live


def test_a_file_that_the_loader_refuses_does_not_fit(gpu_driver: Path) -> None:
    from tests.runtimes.refused import single

    content = single("UNPACK", {"x": ((2, 4), "FLOAT32")}, ((4,), "FLOAT32"))
    first, *others = check_gpu(evidence_of(content))
    assert first.fits is False and "operator 0, UNPACK" in first.text and "android-cpu" in str(first.hint)
    assert others and all("table" in f.text or "UNPACK" in f.text for f in others)


def test_a_file_that_the_gpu_takes_whole() -> None:
    (found,) = describe_plan(look_up(dense(4)))
    assert found.fits is True and found.text.startswith("the GPU computes all 2 operators")


def test_hints_follow_from_the_tensors() -> None:
    found = describe_plan(look_up(of_two_ranks()))
    assert found[1].hint == "keep tensors at 4 dimensions: fold the others into the batch"


def test_what_phones_do_differently_is_named_with_its_source() -> None:
    """The accelerator takes a product of three dimensions; LiteRT 2.1.6 on a phone computed it wrong."""
    assembly = Assembly("product")
    a, b = assembly.tensor("a", (1, 2, 4), "float32"), assembly.tensor("b", (1, 4, 3), "float32")
    options = assembly.options("BatchMatMulOptions")
    y = assembly.operator("BATCH_MATMUL", [a, b], "net/scores/MatMul", (1, 2, 3), "float32", options)
    plan = look_up(assembly.finished({"a": a, "b": b}, {"y": y}))
    (found,) = describe_phones(plan)
    assert plan.is_whole and found.fits is None
    assert "BATCH_MATMUL (layer scores) gave wrong values" in found.text
    assert "LiteRT 2.1.6" in found.text and "gpu_mldrift__2.1.6.json" in found.text
    assert describe_phones(look_up(gathered())) == []


def test_sparse_weights_are_warned_of() -> None:
    """benchmarks/gpu.py: files with DENSIFY give wrong values on the accelerator, in float32 too."""
    tree = unpack(dense(4))
    code = schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema().BuiltinOperator.DENSIFY
    tree.operatorCodes.append(code)
    graph = tree.subgraphs[0]
    graph.tensors.append(tensor("sparse", (4, 4), graph.tensors[1].buffer))
    graph.tensors[1].buffer = 0
    op = schema().OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = 1, [len(graph.tensors) - 1], [1]
    graph.operators.insert(0, op)
    found = describe_plan(look_up(pack(tree)))
    assert "DENSIFY" in found[-1].text and "bundle" in str(found[-1].hint)


@pytest.mark.parametrize(("width", "is_wrong"), [(5, True), (8, False)])
def test_an_index_that_the_gpu_computes_wrong_is_named(
    without_driver: None, width: int, is_wrong: bool
) -> None:
    made = Assembly("test")
    x = made.tensor("x", (1, width), "float32")
    axis = made.constant("axis", np.array([-1], np.int32))
    options = made.options("ArgMaxOptions", outputType=schema().TensorType.INT32)
    content = made.finished({"x": x}, {"y": made.operator("ARG_MAX", [x, axis], "y", (1,), "int32", options)})
    texts = [f.text for f in check_gpu(evidence_of(content)) if "wrong indices" in f.text]
    assert len(texts) == is_wrong and all("ARG_MAX (layer y) over channels" in t for t in texts)

"""Operators that a GPU refuses are replaced; outputs stay equal, and the accelerator takes the whole file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tflite_compress.runtimes.gpu_jobs import GpuFile, GpuRun, run_on_gpu
from tflite_compress.runtimes.litert import predict
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.edit_graph import GraphEditor
from tflite_compress.tflite.flatbuffer import operator_names, pack, schema, unpack
from tflite_compress.tflite.merge_axes import group_axes, merge_axes
from tflite_compress.tflite.narrow_indices import narrow_indices
from tflite_compress.tflite.replace_operators import replace_refused
from tflite_compress.tflite.tensor_specs import read_signature

NAMES = (("x",), ("y",))
WIDTH = 16
Build = Callable[[Assembly, int], int]


def file_of(build: Build) -> bytes:
    made = Assembly("test")
    x = made.tensor("x", (1, WIDTH), "float32")
    return made.finished({"x": x}, {"y": build(made, x)})


def shuffle(made: Assembly, x: int) -> int:
    """Exchange two channel axes of a tensor of five dimensions, as channel shuffles do."""
    x = made.reshaped(x, "split", (1, 2, 2, 2, 2))
    order = made.constant("order", np.array([0, 1, 2, 4, 3], np.int32))
    x = made.operator("TRANSPOSE", [x, order], "moved", (1, 2, 2, 2, 2), "float32")
    return made.reshaped(x, "joined", (1, WIDTH))


def group_norm(made: Assembly, x: int) -> int:
    """Subtract means over space and channels of groups, as GroupNormalization does, and scale."""
    x = made.reshaped(x, "split", (1, 2, 2, 2, 2))
    axes = made.constant("axes", np.array([1, 2, 4], np.int32))
    keep = made.options("ReducerOptions", keepDims=True)
    mean = made.operator("MEAN", [x, axes], "mean", (1, 1, 1, 2, 1), "float32", keep)
    x = made.operator("SUB", [x, mean], "centred", (1, 2, 2, 2, 2), "float32", made.options("SubOptions"))
    scale = made.constant("scale", np.arange(1, 5, dtype=np.float32).reshape(1, 1, 1, 2, 2))
    x = made.operator("MUL", [x, scale], "scaled", (1, 2, 2, 2, 2), "float32", made.options("MulOptions"))
    return made.reshaped(x, "joined", (1, WIDTH))


def padding(made: Assembly, x: int) -> int:
    rows = made.constant("rows", np.array([[0, 0], [1, 2]], np.int32))
    return made.operator("PAD", [x, rows], "padded", (1, WIDTH + 3), "float32", made.options("PadOptions"))


def broadcast(made: Assembly, x: int) -> int:
    shape = made.constant("shape", np.array([1, 3, WIDTH], np.int32))
    return made.operator("BROADCAST_TO", [x, shape], "wide", (1, 3, WIDTH), "float32", version=2)


def left_product(made: Assembly, x: int) -> int:
    matrix = made.constant("matrix", np.arange(12, dtype=np.float32).reshape(3, 4))
    x = made.reshaped(x, "rows", (1, 4, 4))
    options = made.options("BatchMatMulOptions")
    return made.operator("BATCH_MATMUL", [matrix, x], "product", (1, 3, 4), "float32", options)


def squeezed(made: Assembly, x: int) -> int:
    axis = made.constant("axis", np.array(1, np.int32))
    options = made.options("ExpandDimsOptions")
    return made.operator("EXPAND_DIMS", [x, axis], "more", (1, 1, WIDTH), "float32", options)


def index(made: Assembly, x: int) -> int:
    """Take the largest of five channels, all of them negative: the GPU finds a channel that is not there."""
    options = made.options("ReducerOptions", keepDims=True)
    axis = made.constant("all", np.array([1], np.int32))
    largest = made.operator("REDUCE_MAX", [x, axis], "largest", (1, 1), "float32", options)
    offset = made.constant("offset", np.full((1, WIDTH), -1.0, np.float32))
    x = made.operator("SUB", [x, largest], "low", (1, WIDTH), "float32", made.options("SubOptions"))
    x = made.operator("ADD", [x, offset], "negative", (1, WIDTH), "float32", made.options("AddOptions"))
    ends = [made.constant(f"ends_{i}", np.array([i, 5 * i], np.int32)) for i in (0, 1)]
    x = made.operator("SLICE", [x, *ends], "few", (1, 5), "float32", made.options("SliceOptions"))
    kind = made.options("ArgMaxOptions", outputType=schema().TensorType.INT32)
    last = made.constant("last", np.array([-1], np.int32))
    return made.operator("ARG_MAX", [x, last], "place", (1,), "int32", kind)


CASES: dict[str, tuple[Build, list[str]]] = {
    "shuffle": (shuffle, ["RESHAPE", "TRANSPOSE", "RESHAPE"]),
    "group_norm": (group_norm, ["RESHAPE", "MEAN", "RESHAPE", "RESHAPE", "SUB", "MUL", "RESHAPE"]),
    "padding": (padding, ["RESHAPE", "PAD", "RESHAPE"]),
    "broadcast": (broadcast, ["RESHAPE", "TILE"]),
    "left_product": (left_product, ["RESHAPE", "TRANSPOSE", "FULLY_CONNECTED", "TRANSPOSE"]),
    "squeezed": (squeezed, ["RESHAPE"]),
    "index": (index, ["REDUCE_MAX", "SUB", "ADD", "SLICE", "RESHAPE", "ARG_MAX", "RESHAPE"]),
}


def rewritten(content: bytes) -> bytes:
    tree = unpack(content)
    editor = GraphEditor(tree)
    changes = [bool(replace_refused(editor)), bool(merge_axes(editor)), bool(narrow_indices(editor))]
    assert any(changes)
    editor.drop_unused()
    return pack(tree)


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_equal(name: str) -> None:
    build, wanted = CASES[name]
    content = file_of(build)
    made = rewritten(content)
    x = np.random.default_rng(0).normal(size=(4, WIDTH)).astype(np.float32)
    before, after = (predict(file, (x,), *NAMES, workers=1)[0] for file in (content, made))
    np.testing.assert_allclose(after, before, atol=1e-6)
    assert sorted(operator_names(made)) == sorted(wanted)


@pytest.mark.slow
def test_the_accelerator_takes_the_whole_file(gpu_driver: Path) -> None:
    files = {name: file_of(build) for name, (build, _) in CASES.items()}
    both = [*files.values(), *(rewritten(content) for content in files.values())]
    runs = run_on_gpu([GpuFile(content) for content in both])
    whole = [isinstance(run, GpuRun) and run.log.is_whole for run in runs]
    refused = dict.fromkeys(files, False) | {"index": True}  # taken, and computed wrong
    assert dict(zip(files, whole[: len(files)], strict=True)) == refused
    assert dict(zip(files, whole[len(files) :], strict=True)) == dict.fromkeys(files, True)


@pytest.mark.slow
def test_the_accelerator_finds_the_right_index(gpu_driver: Path) -> None:
    content = file_of(index)
    x = np.random.default_rng(0).normal(size=(4, 1, WIDTH)).astype(np.float32)
    (expected,) = predict(content, (x[:, 0],), *NAMES, workers=1)
    runs = run_on_gpu([GpuFile(file, (x,)) for file in (content, rewritten(content))])
    before, after = (run.outputs for run in runs if isinstance(run, GpuRun))
    assert before is not None and after is not None
    assert not np.array_equal(before[0].reshape(-1), expected.reshape(-1))
    np.testing.assert_array_equal(after[0].reshape(-1), expected.reshape(-1))


@pytest.mark.parametrize(("width", "kind"), [(16, "INT32"), (5, "INT64")])
def test_an_index_becomes_int32_where_the_gpu_finds_it(width: int, kind: str) -> None:
    """Among channels that are no multiple of 4, the GPU may give the index of a channel that is not there."""
    made = Assembly("test")
    x = made.tensor("x", (1, width), "float32")
    axis = made.constant("axis", np.array([-1], np.int32))
    options = made.options("ArgMaxOptions", outputType=schema().TensorType.INT64)
    y = made.operator("ARG_MAX", [x, axis], "y", (1,), "int32", options)
    tree = unpack(made.finished({"x": x}, {"y": y}))
    tree.subgraphs[0].tensors[y].type = schema().TensorType.INT64
    before, editor = pack(tree), GraphEditor(tree)
    assert narrow_indices(editor) == (kind == "INT32")
    after = pack(tree)
    assert read_signature(after).outputs[0].type == kind
    values = np.random.default_rng(0).normal(size=(8, width)).astype(np.float32)
    first, second = (predict(file, (values,), *NAMES, workers=1)[0] for file in (before, after))
    np.testing.assert_array_equal(first, second)


def test_axes_alike_are_grouped_and_those_of_size_1_join_any() -> None:
    assert group_axes([True, True, False, None, False, True]) == [[0, 1], [2, 3, 4], [5]]
    assert group_axes([None, 1, None, 2]) == [[0, 1, 2], [3]]

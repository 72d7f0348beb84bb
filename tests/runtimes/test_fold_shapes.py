"""Sizes that a file computes from fixed shapes are stored, and sparse weights are stored densely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.runtimes.test_litert_web import needs_browser
from tests.tflite.sparse_files import KERNEL, sparse_dense_layer
from tflite_compress.runtimes.compare import compare
from tflite_compress.runtimes.fold_shapes import fold_shapes, store_densely
from tflite_compress.runtimes.gpu_jobs import run_one_on_gpu
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.litert import predict
from tflite_compress.runtimes.litert_web import ACCELERATORS, fix_batch, web_runtime
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import operator_names, pack, unpack

NAMES = (("x",), ("y",))
SAMPLES = np.random.default_rng(0).normal(size=(3, 1, 4, 6)).astype(np.float32)


def part_of_shape(made: Assembly, x: int, name: str) -> int:
    """Add an operator that gives the first size of a tensor: the batch."""
    shape = made.operator(
        "SHAPE", [x], f"{name}_shape", (3,), "int32", made.options("ShapeOptions", outType=2)
    )
    ends = [made.constant(f"{name}_{i}", np.array([i], np.int32)) for i in (0, 1)]
    options = made.options("StridedSliceOptions", shrinkAxisMask=1)
    return made.operator("STRIDED_SLICE", [shape, *ends, ends[1]], f"{name}_batch", (), "int32", options)


def resized(made: Assembly, x: int, sizes: tuple[int, int], name: str) -> int:
    """Add a reshape to (batch, *sizes), with the batch computed as converters of Keras write it."""
    parts = [made.constant(f"{name}_{n}", np.array(n, np.int32)) for n in sizes]
    options = made.options("PackOptions", valuesCount=3)
    wanted = made.operator(
        "PACK", [part_of_shape(made, x, name), *parts], f"{name}_wanted", (3,), "int32", options
    )
    return made.operator("RESHAPE", [x, wanted], name, (1, *sizes), "float32", made.options("ReshapeOptions"))


def computed_sizes() -> bytes:
    """Return a file with two reshapes one after another, whose sizes are computed."""
    made = Assembly("test")
    x = made.tensor("x", (1, 4, 6), "float32")
    second = resized(made, resized(made, x, (6, 4), "first"), (2, 12), "second")
    return made.finished({"x": x}, {"y": made.operator("RELU", [second], "y", (1, 2, 12), "float32")})


def test_sizes_are_stored_and_outputs_stay_equal() -> None:
    content = computed_sizes()
    folded, dropped = fold_shapes(content)
    assert sorted(operator_names(folded)) == ["RELU", "RESHAPE", "RESHAPE"]
    assert dropped == len(operator_names(content)) - 3 == 6
    before, after = (predict(file, (SAMPLES[:, 0],), *NAMES, workers=1)[0] for file in (content, folded))
    np.testing.assert_array_equal(before, after)
    assert fold_shapes(folded) == (folded, 0)


def test_sparse_weights_are_stored_densely_and_outputs_stay_equal() -> None:
    content = sparse_dense_layer()
    dense, dropped = store_densely(content)
    assert operator_names(dense) == ["FULLY_CONNECTED"] and dropped == 1
    x = np.eye(4, dtype=np.float32)
    before, after = (predict(file, (x,), *NAMES, workers=1)[0] for file in (content, dense))
    np.testing.assert_array_equal(before, KERNEL.T + np.array([1, 2]))
    np.testing.assert_array_equal(after, before)
    assert store_densely(dense) == (dense, 0)


def test_the_accelerator_is_right_where_weights_are_stored_densely(gpu_driver: Path) -> None:
    """With the sparse format it is wrong, without an error."""
    x = np.eye(4, dtype=np.float32)[:, None]
    sparse = sparse_dense_layer()
    wrong, right = (
        run_one_on_gpu(file, (x,), "float32").outputs for file in (sparse, store_densely(sparse)[0])
    )
    expected = host_runtime(seconds=0)(sparse, (x,)).outputs
    assert wrong is not None and right is not None and expected is not None
    np.testing.assert_allclose(right[0], expected[0], atol=1e-5)
    assert np.abs(wrong[0] - expected[0]).max() > 1


def test_sizes_that_depend_on_values_stay_computed() -> None:
    """The number of values that are not zero is known only after a run."""
    made = Assembly("test")
    x = made.tensor("x", (1, 4), "float32")
    found = made.operator("WHERE", [x], "found", (4, 2), "int32")
    shape = made.operator("SHAPE", [found], "y", (2,), "int32", made.options("ShapeOptions", outType=2))
    one = made.constant("one", np.array([1, 1], np.int32))
    y = made.operator("MUL", [shape, one], "y", (2,), "int32", made.options("MulOptions"))
    tree = unpack(made.finished({"x": x}, {"y": y}))
    tree.subgraphs[0].tensors[found].type = 4  # int64, as WHERE gives
    content = pack(tree)
    assert fold_shapes(content) == (content, 0)


@pytest.mark.slow
def test_an_open_batch_is_fixed_before() -> None:
    tree = unpack(computed_sizes())
    tree.subgraphs[0].tensors[0].shapeSignature = [-1, 4, 6]
    fixed, notes = fix_batch(pack(tree))
    assert [note.code for note in notes] == ["batch-fixed", "sizes-stored"]
    assert sorted(operator_names(fixed)) == ["RELU", "RESHAPE", "RESHAPE"]


@pytest.mark.slow
def test_litert_js_computes_a_file_with_computed_sizes() -> None:
    """On the GPU it refuses dynamic sizes."""
    needs_browser()
    runtimes = {f"litert-web:{a}": web_runtime(a, 0.1) for a in ACCELERATORS}
    for comparison in compare(computed_sizes(), (SAMPLES,), runtimes):
        assert comparison.is_same is True

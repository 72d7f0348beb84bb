"""Memory of CMSIS-NN's kernels. The sizes are what its C functions of July 2026 return, compiled with gcc."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from four_bit_kernels import Form, file_of

from tflite_compress.profiles.devices import all_devices, kernels_of, load_device
from tflite_compress.runtimes.tflm_runtime import reserve_arena
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.kernel_sets import KERNELS
from tflite_compress.tflite.scratch import KernelMemory, measure_kernel_memory

SAME, VALID = 0, 1
Shape = tuple[int, ...]


def layer(
    kind: str, inputs: Shape, weights: Shape, output: Shape, dtype: str = "int8", **options: int
) -> bytes:
    """A file with one integer layer."""
    assembly = Assembly("one")
    start = assembly.tensor("x", inputs, dtype)
    filters = assembly.constant("w", np.ones(weights, np.int8))
    names = {"DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "TRANSPOSE_CONV": "TransposeConvOptions"}
    defaults = {"strideH": 1, "strideW": 1, "padding": SAME}
    if kind != "TRANSPOSE_CONV":
        defaults |= {"dilationHFactor": 1, "dilationWFactor": 1}
    made = assembly.options(names.get(kind, "Conv2DOptions"), **defaults | options)
    sides = [start, filters]
    if kind == "TRANSPOSE_CONV":
        sides = [assembly.constant("shape", np.array(output, np.int32)), filters, start]
    return assembly.finished({"x": start}, {"y": assembly.operator(kind, sides, "y", output, dtype, made)})


def dense(*widths: int) -> bytes:
    """A file of int8 fully connected layers."""
    assembly = Assembly("dense")
    last = start = assembly.tensor("x", (1, widths[0]), "int8")
    for index, (before, after) in enumerate(itertools.pairwise(widths)):
        weights = assembly.constant(f"w{index}", np.full((after, before), index + 1, np.int8))
        last = assembly.operator("FULLY_CONNECTED", [last, weights, -1], f"y{index}", (1, after), "int8")
    return assembly.finished({"x": start}, {"y": last})


@pytest.mark.parametrize(
    ("content", "sizes"),
    [
        (layer("CONV_2D", (1, 8, 8, 4), (8, 3, 3, 4), (1, 8, 8, 8)), (144, 144, 192)),
        (layer("CONV_2D", (1, 8, 8, 5), (8, 3, 3, 5), (1, 8, 8, 8)), (192, 192, 192)),
        (layer("CONV_2D", (1, 8, 8, 4), (8, 1, 1, 4), (1, 4, 4, 8), strideH=2, strideW=2), (0, 0, 0)),
        (layer("CONV_2D", (1, 1, 40, 8), (8, 1, 5, 8), (1, 1, 40, 8)), (160, 160, 64)),
        (layer("CONV_2D", (1, 8, 8, 3), (8, 3, 3, 3), (1, 8, 8, 8), "int16"), (112, 112, 256)),
        (layer("DEPTHWISE_CONV_2D", (1, 8, 8, 16), (1, 3, 3, 16), (1, 8, 8, 16)), (0, 0, 4464)),
        (layer("DEPTHWISE_CONV_2D", (1, 8, 8, 16), (1, 5, 5, 16), (1, 8, 8, 16)), (0, 800, 12400)),
        (layer("DEPTHWISE_CONV_2D", (1, 8, 8, 1), (1, 3, 3, 8), (1, 8, 8, 8)), (0, 0, 144)),
        (
            layer("TRANSPOSE_CONV", (1, 4, 4, 8), (8, 3, 3, 8), (1, 8, 8, 8), strideH=2, strideW=2),
            (864, 864, 864),
        ),
        (
            layer("TRANSPOSE_CONV", (1, 4, 4, 32), (8, 3, 3, 32), (1, 8, 8, 8), strideH=2, strideW=2),
            (3456, 3456, 3456),
        ),
    ],
)
def test_scratch_buffers_by_kernels(content: bytes, sizes: tuple[int, ...]) -> None:
    """Sizes are rounded up to 16, as the arena's buffers are."""
    assert tuple(measure_kernel_memory(content, kernels).scratch for kernels in KERNELS) == sizes


def test_depthwise_convolutions_with_4_bit_weights_gather_a_column_on_every_core() -> None:
    content = file_of(Form("DEPTHWISE_CONV_2D", "channel", "int8"))  # 3x3 taps of 8 channels as int16
    assert [measure_kernel_memory(content, kernels).scratch for kernels in KERNELS] == [144, 144, 144]


def test_kernel_sums_of_all_dense_layers_stay() -> None:
    """An autoencoder of eight layers: Helium's kernels keep a sum per output of every layer."""
    content = dense(640, 128, 128, 128, 8, 128, 128, 128, 640)
    outputs = 6 * 128 + 8 + 640
    assert measure_kernel_memory(content, "mve") == KernelMemory(0, 4 * outputs)
    for kernels in ("c", "dsp"):
        assert measure_kernel_memory(content, kernels) == KernelMemory(0, 0)


def test_floats_need_no_scratch() -> None:
    assembly = Assembly("float")
    start = assembly.tensor("x", (1, 4), "float32")
    weights = assembly.constant("w", np.ones((2, 4), np.float32))
    last = assembly.operator("FULLY_CONNECTED", [start, weights, -1], "y", (1, 2), "float32")
    content = assembly.finished({"x": start}, {"y": last})
    assert all(measure_kernel_memory(content, kernels) == KernelMemory(0, 0) for kernels in KERNELS)


def test_the_arena_depends_on_the_core() -> None:
    content = dense(640, 128, 128, 128, 8, 128, 128, 128, 640)
    board, small = load_device("alif-ensemble-e7"), load_device("rp2040")
    assert reserve_arena(content, 5600, kernels_of(board)).value == 11264
    assert reserve_arena(content, 5600, kernels_of(small)).value == 6144
    assert reserve_arena(content, 5600).value == 11264  # an unknown core gets the most
    assert {kernels_of(device) for device in all_devices()} == {None, "c", "dsp", "mve"}

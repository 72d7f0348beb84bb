"""A pose network like MoveNet: heatmaps, the peak of each, and an offset read at the peak with GATHER_ND."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.assemble import Assembly

SIZE, CHANNELS, POINTS = 16, 8, 5
PLACES = SIZE // 2  # rows and columns of the heatmaps


def pose_network(blocks: int = 2) -> bytes:
    """Return the network: an image of 16 x 16 x 3 in, one row and score for each of 5 key points out.

    Args:
        blocks: Number of convolutions before the heatmaps.
    """
    made, random = Assembly("pose"), np.random.default_rng(0)
    image = made.tensor("image", (1, SIZE, SIZE, 3), "float32")

    def conv(x: int, name: str, before: int, after: int, stride: int = 1, size: int = 3) -> int:
        kernel = random.normal(size=(after, size, size, before)) / (size * np.sqrt(before))
        weights = made.constant(f"{name}/kernel", kernel.astype(np.float32))
        bias = made.constant(f"{name}/bias", random.normal(size=after).astype(np.float32))
        options = made.options(
            "Conv2DOptions", strideW=stride, strideH=stride, dilationWFactor=1, dilationHFactor=1
        )

        return made.operator(
            "CONV_2D", [x, weights, bias], name, (1, PLACES, PLACES, after), "float32", options
        )

    x = conv(image, "start", 3, CHANNELS, stride=2)
    for block in range(blocks):
        x = conv(x, f"block{block}", CHANNELS, CHANNELS)
    heat = conv(x, "heatmaps", CHANNELS, POINTS, size=1)
    offsets = conv(x, "offsets", CHANNELS, POINTS, size=1)

    columns = made.reshaped(heat, "heat_columns", (1, PLACES * PLACES, POINTS))
    one = made.constant("one", np.array([1], np.int32))
    options = made.options("ArgMaxOptions", outputType=2)  # schema.fbs: INT32
    peak = made.operator("ARG_MAX", [columns, one], "peak", (1, POINTS), "int32", options)
    width = made.constant("width", np.array(PLACES, np.int32))
    row = made.operator("FLOOR_DIV", [peak, width], "row", (1, POINTS), "int32")
    column = made.operator("FLOOR_MOD", [peak, width], "column", (1, POINTS), "int32")
    nothing = made.constant("nothing", np.zeros((1, POINTS), np.int32))
    number = made.constant("number", np.arange(POINTS, dtype=np.int32)[None])
    options = made.options("PackOptions", valuesCount=4, axis=2)
    place = made.operator("PACK", [nothing, row, column, number], "place", (1, POINTS, 4), "int32", options)
    offset = made.operator("GATHER_ND", [offsets, place], "offset", (1, POINTS), "float32")
    options = made.options("CastOptions", inDataType=2, outDataType=0)
    start = made.operator("CAST", [row], "start_row", (1, POINTS), "float32", options)
    rows = made.operator("ADD", [start, offset], "rows", (1, POINTS), "float32", made.options("AddOptions"))
    options = made.options("ReducerOptions")
    scores = made.operator("REDUCE_MAX", [columns, one], "scores", (1, POINTS), "float32", options)
    return made.finished({"image": image}, {"rows": rows, "scores": scores})

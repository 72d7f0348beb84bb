"""A pose network like MoveNet: heatmaps, the peak of each, and an offset read at the peak with GATHER_ND."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.assemble import Assembly

SIZE, CHANNELS, POINTS = 16, 8, 5


def pose_network(blocks: int = 2, size: int = SIZE, channels: int = CHANNELS, points: int = POINTS) -> bytes:
    """Return the network: an image in, one row and score for each key point out.

    Args:
        blocks: Number of convolutions before the heatmaps.
        size: Rows and columns of the image; the heatmaps have half of them.
        channels: Channels of each convolution.
        points: Number of key points.
    """
    places = size // 2
    made, random = Assembly("pose"), np.random.default_rng(0)
    image = made.tensor("image", (1, size, size, 3), "float32")

    def conv(x: int, name: str, before: int, after: int, stride: int = 1, taps: int = 3) -> int:
        kernel = random.normal(size=(after, taps, taps, before)) / (taps * np.sqrt(before))
        weights = made.constant(f"{name}/kernel", kernel.astype(np.float32))
        bias = made.constant(f"{name}/bias", random.normal(size=after).astype(np.float32))
        options = made.options(
            "Conv2DOptions", strideW=stride, strideH=stride, dilationWFactor=1, dilationHFactor=1
        )

        return made.operator(
            "CONV_2D", [x, weights, bias], name, (1, places, places, after), "float32", options
        )

    x = conv(image, "start", 3, channels, stride=2)
    for block in range(blocks):
        x = conv(x, f"block{block}", channels, channels)
    heat = conv(x, "heatmaps", channels, points, taps=1)
    offsets = conv(x, "offsets", channels, points, taps=1)

    columns = made.reshaped(heat, "heat_columns", (1, places * places, points))
    one = made.constant("one", np.array([1], np.int32))
    options = made.options("ArgMaxOptions", outputType=2)  # schema.fbs: INT32
    peak = made.operator("ARG_MAX", [columns, one], "peak", (1, points), "int32", options)
    width = made.constant("width", np.array(places, np.int32))
    row = made.operator("FLOOR_DIV", [peak, width], "row", (1, points), "int32")
    column = made.operator("FLOOR_MOD", [peak, width], "column", (1, points), "int32")
    nothing = made.constant("nothing", np.zeros((1, points), np.int32))
    number = made.constant("number", np.arange(points, dtype=np.int32)[None])
    options = made.options("PackOptions", valuesCount=4, axis=2)
    place = made.operator("PACK", [nothing, row, column, number], "place", (1, points, 4), "int32", options)
    offset = made.operator("GATHER_ND", [offsets, place], "offset", (1, points), "float32")
    options = made.options("CastOptions", inDataType=2, outDataType=0)
    start = made.operator("CAST", [row], "start_row", (1, points), "float32", options)
    rows = made.operator("ADD", [start, offset], "rows", (1, points), "float32", made.options("AddOptions"))
    options = made.options("ReducerOptions")
    scores = made.operator("REDUCE_MAX", [columns, one], "scores", (1, points), "float32", options)
    return made.finished({"image": image}, {"rows": rows, "scores": scores})

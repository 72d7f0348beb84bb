"""CenterNet: a heat map of centres for each class, and the size and offset of the box at each cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.scoring.box_functions import corners, sigmoid
from tflite_compress.scoring.head_types import (
    Decoder,
    DetectionHead,
    HeadPort,
    HeadSample,
    Shapes,
    are_logits,
    register,
)


@dataclass(frozen=True)
class CenterNet:
    """Decoder of centres.

    Attributes:
        heat: Index of the output with the heat maps.
        size: Index of the output with width and height, in cells.
        offset: Index of the output with the offset x and y of the centre from the cell's corner, in cells.
        from_logits: True if the heat maps are before the sigmoid function.
    """

    heat: int
    size: int
    offset: int
    from_logits: bool

    def __call__(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes, shape (samples, cells, 4), and scores, (samples, cells, classes)."""
        heat = sigmoid(outputs[self.heat]) if self.from_logits else outputs[self.heat]
        samples, rows, columns, classes = heat.shape
        framed = np.pad(heat, ((0, 0), (1, 1), (1, 1), (0, 0)))
        near = [framed[:, y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
        peaks = np.where(heat >= np.max(near, axis=0), heat, 0)
        corner = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
        centres = np.concatenate([corner + outputs[self.offset], outputs[self.size]], axis=-1)
        boxes = corners(centres) / np.array([columns, rows] * 2, np.float32)
        return boxes.reshape(samples, -1, 4), peaks.reshape(samples, -1, classes)


def _find(sample: HeadSample) -> CenterNet | None:
    outputs = sample.outputs
    if len(outputs) != 3 or any(output.ndim != 4 for output in outputs):
        return None
    pairs = [i for i, output in enumerate(outputs) if output.shape[-1] == 2]
    if len({output.shape[1:3] for output in outputs}) != 1 or len(pairs) < 2:
        return None
    heat = next((i for i in range(3) if i not in pairs), 0)  # with two classes, in the order of the summary
    size, offset = (i for i in range(3) if i != heat)
    return CenterNet(heat, size, offset, are_logits(outputs[heat]))


def _port(decoder: Decoder, shapes: Shapes) -> HeadPort:
    assert isinstance(decoder, CenterNet)
    rows, columns, classes = shapes[decoder.heat]
    values = {
        "heat_output": decoder.heat,
        "size_output": decoder.size,
        "offset_output": decoder.offset,
        "from_logits": decoder.from_logits,
        "rows": rows,
        "columns": columns,
    }
    return HeadPort(rows * columns, classes, values)


register(
    DetectionHead(
        "center-net",
        "three outputs of shape (samples, rows, columns, ...) in this order: heat maps of the centres of "
        "each class, width and height in cells, offset x and y in cells",
        _find,
        max_iou=1.0,
        port=_port,
    )
)

"""YOLO v5: boxes around their centre, an objectness and a score for each class, in one tensor or three."""

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
class YoloV5:
    """Decoder of YOLO v5, and of v3, v4 and v7 with the same outputs.

    Attributes:
        parts: Index of the output with boxes, objectness and scores; one index if they share an output.
        scale: Width and height that boxes are relative to.
        from_logits: True if objectness and scores are before the sigmoid function.
    """

    parts: tuple[int, ...]
    scale: tuple[float, float]
    from_logits: bool

    def __call__(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes, shape (samples, boxes, 4), and scores, (samples, boxes, classes)."""
        values = np.concatenate([outputs[index] for index in self.parts], axis=-1)
        boxes = corners(values[..., :4]) / np.array(self.scale * 2, values.dtype)
        shares = sigmoid(values[..., 4:]) if self.from_logits else values[..., 4:]
        return boxes, shares[..., :1] * shares[..., 1:]


def _find(sample: HeadSample) -> YoloV5 | None:
    outputs = sample.outputs
    if any(output.ndim != 3 for output in outputs) or len({output.shape[1] for output in outputs}) != 1:
        return None
    widths = [output.shape[2] for output in outputs]
    if len(outputs) == 1:
        rows, classes = outputs[0].shape[1], widths[0] - 5
        is_like = rows > widths[0] and classes != sample.classes - 1
        parts: tuple[int, ...] = (0,)
        if classes < 1 or not (is_like or sample.is_named):
            return None
    elif len(outputs) == 3 and widths.count(4) == widths.count(1) == 1:
        boxes, objectness = widths.index(4), widths.index(1)
        parts = (boxes, objectness, 3 - boxes - objectness)
    else:
        return None
    values = np.concatenate([outputs[index] for index in parts], axis=-1)
    scale = sample.scale_of(corners(values[..., :4]))
    return YoloV5(parts, scale, are_logits(values[..., 4:]))


def _port(decoder: Decoder, shapes: Shapes) -> HeadPort:
    assert isinstance(decoder, YoloV5)
    is_one = len(decoder.parts) == 1
    boxes, sure, scores = decoder.parts * 3 if is_one else decoder.parts
    start = 5 if is_one else 0
    values = {
        "box_output": boxes,
        "sure_output": sure,
        "sure_start": 4 if is_one else 0,
        "score_output": scores,
        "score_start": start,
        "from_logits": decoder.from_logits,
        "width": decoder.scale[0],
        "height": decoder.scale[1],
    }
    return HeadPort(shapes[scores][0], shapes[scores][1] - start, values)


register(
    DetectionHead(
        "yolo-v5",
        "one output of shape (samples, boxes, 5 + classes) or three with boxes, objectness and scores; boxes "
        "are x, y, width and height around their centre (YOLO v5)",
        _find,
        port=_port,
    )
)

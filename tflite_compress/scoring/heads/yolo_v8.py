"""YOLO v8 to v11: boxes around their centre and a score for each class, in one tensor or two."""

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
class YoloV8:
    """Decoder of YOLO v8 to v11.

    Attributes:
        parts: Index of the output with boxes and of the one with scores; one index if they share an output.
        are_columns: For each part, True for shape (samples, values, boxes), False for (samples, boxes,
            values).
        scale: Width and height that boxes are relative to.
        from_logits: True if scores are before the sigmoid function.
    """

    parts: tuple[int, ...]
    are_columns: tuple[bool, ...]
    scale: tuple[float, float]
    from_logits: bool

    def __call__(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes, shape (samples, boxes, 4), and scores, (samples, boxes, classes)."""
        turned = zip(self.parts, self.are_columns, strict=True)
        rows = [outputs[i].swapaxes(1, 2) if is_turned else outputs[i] for i, is_turned in turned]
        values = np.concatenate(rows, axis=-1)
        boxes = corners(values[..., :4]) / np.array(self.scale * 2, values.dtype)
        scores = values[..., 4:]
        return boxes, sigmoid(scores) if self.from_logits else scores


def _find(sample: HeadSample) -> YoloV8 | None:
    outputs = sample.outputs
    if any(output.ndim != 3 for output in outputs) or len(outputs) not in (1, 2):
        return None
    if len(outputs) == 1:
        are_columns = outputs[0].shape[1] < outputs[0].shape[2]
        channels = min(outputs[0].shape[1:])
        if channels < 5 or not (are_columns or sample.is_named or channels - 4 == sample.classes):
            return None
        return _made(sample, (0,), (are_columns,))
    return _of_two(sample)


def _of_two(sample: HeadSample) -> YoloV8 | None:
    """Return the decoder of boxes and scores in two outputs, which have the number of boxes in common."""
    shapes = [output.shape[1:] for output in sample.outputs]
    common = set(shapes[0]) & set(shapes[1])
    first = 0 if 4 in shapes[0] else 1
    others = [shape for shape in shapes if 4 not in shape]
    if not common or 4 not in shapes[first] or (not others and not sample.is_named):
        return None
    boxes = max(common)
    parts = (first, 1 - first)
    are_columns = tuple(shapes[i][1] == boxes and shapes[i][0] != boxes for i in parts)
    return _made(sample, parts, are_columns)


def _made(sample: HeadSample, parts: tuple[int, ...], are_columns: tuple[bool, ...]) -> YoloV8:
    boxes, scores = YoloV8(parts, are_columns, (1.0, 1.0), False)(sample.outputs)
    return YoloV8(parts, are_columns, sample.scale_of(boxes), are_logits(scores))


def _port(decoder: Decoder, shapes: Shapes) -> HeadPort:
    assert isinstance(decoder, YoloV8)
    boxes, scores = decoder.parts[0], decoder.parts[-1]
    start = 4 if len(decoder.parts) == 1 else 0
    rows, columns = shapes[scores][::-1] if decoder.are_columns[-1] else shapes[scores]
    values = {
        "box_output": boxes,
        "box_is_column": decoder.are_columns[0],
        "score_output": scores,
        "score_is_column": decoder.are_columns[-1],
        "score_start": start,
        "from_logits": decoder.from_logits,
        "width": decoder.scale[0],
        "height": decoder.scale[1],
    }
    return HeadPort(rows, columns - start, values)


register(
    DetectionHead(
        "yolo-v8",
        "one output of shape (samples, 4 + classes, boxes) or two with boxes and scores; boxes are x, y, "
        "width and height around their centre (YOLO v8 to v11)",
        _find,
        port=_port,
    )
)

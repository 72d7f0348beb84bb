"""SSD: offsets of boxes from anchors, and a score for each class, the first of which is the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.scoring.box_functions import corners, sigmoid
from tflite_compress.scoring.head_types import (
    Decoder,
    DetectionHead,
    HeadPort,
    HeadSample,
    PortValue,
    Shapes,
    are_logits,
    register,
)
from tflite_compress.support.errors import DataError

CENTRE_SCALE, SIZE_SCALE = 10.0, 5.0  # of TensorFlow's Object Detection API


@dataclass(frozen=True)
class Ssd:
    """Decoder of SSD.

    Attributes:
        boxes: Index of the output with offsets y, x, height and width.
        scores: Index of the output with scores.
        anchors: y, x, height and width of each anchor.
        divisors: What offsets of centres and of sizes are divided by.
        from_logits: True if scores are before the sigmoid function.
    """

    boxes: int
    scores: int
    anchors: tuple[tuple[float, ...], ...]
    divisors: tuple[float, float]
    from_logits: bool

    def __call__(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes, shape (samples, boxes, 4), and scores, (samples, boxes, classes)."""
        anchors = np.array(self.anchors, np.float32)
        offsets = outputs[self.boxes].reshape(-1, len(anchors), 4)
        centres = anchors[:, :2] + offsets[..., :2] / self.divisors[0] * anchors[:, 2:]
        sizes = anchors[:, 2:] * np.exp(np.minimum(offsets[..., 2:] / self.divisors[1], 20))
        boxes = corners(np.concatenate([centres[..., ::-1], sizes[..., ::-1]], axis=-1))
        scores = outputs[self.scores][..., 1:]
        return boxes, sigmoid(scores) if self.from_logits else scores


def _find(sample: HeadSample) -> Ssd | None:
    if sample.anchors is None:
        if sample.is_named:
            raise DataError(
                "--head=ssd needs the anchors", "Give them: --anchors=FILE.npy, shape (anchors, 4)."
            )
        return None
    count = len(sample.anchors)
    sizes = [output[0].size for output in sample.outputs]
    shapes = [output.shape[1:] for output in sample.outputs]
    if len(shapes) != 2 or any(shape[0] != count for shape in shapes) or 4 * count not in sizes:
        return None
    boxes = sizes.index(4 * count)
    if sample.outputs[1 - boxes].ndim != 3 or len(shapes[boxes]) > 3:
        return None
    rows = tuple(tuple(float(value) for value in row) for row in sample.anchors)
    from_logits = are_logits(sample.outputs[1 - boxes])
    return Ssd(boxes, 1 - boxes, rows, (CENTRE_SCALE, SIZE_SCALE), from_logits)


def _port(decoder: Decoder, shapes: Shapes) -> HeadPort:
    assert isinstance(decoder, Ssd)
    box_shape, score_shape = shapes[decoder.boxes], shapes[decoder.scores]
    values: dict[str, PortValue] = {
        "box_output": decoder.boxes,
        "score_output": decoder.scores,
        "inner": box_shape[2] if len(box_shape) == 3 else 1,
        "anchors": np.array(decoder.anchors, np.float32),
        "centre_divisor": decoder.divisors[0],
        "size_divisor": decoder.divisors[1],
        "from_logits": decoder.from_logits,
    }
    return HeadPort(len(decoder.anchors), score_shape[1] - 1, values)


register(
    DetectionHead(
        "ssd",
        "two outputs of shape (samples, anchors, 4), offsets y, x, height, width as in TensorFlow's Object "
        "Detection API, and (samples, anchors, 1 + classes) with the background first; `--anchors=FILE` "
        "gives the y, x, height and width of each anchor",
        _find,
        port=_port,
    )
)

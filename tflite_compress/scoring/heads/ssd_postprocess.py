"""Decoded detections, as the operator TFLite_Detection_PostProcess writes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.scoring.head_types import Decoder, DetectionHead, HeadPort, HeadSample, Shapes, register


@dataclass(frozen=True)
class SsdPostprocess:
    """Decoder of finished detections.

    Attributes:
        boxes: Index of the output with y_min, x_min, y_max, x_max.
        classes: Index of the output with class numbers.
        scores: Index of the output with scores.
        count: Index of the output with the number of detections.
        class_count: Number of classes.
    """

    boxes: int
    classes: int
    scores: int
    count: int
    class_count: int

    def __call__(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes, shape (samples, boxes, 4), and scores, (samples, boxes, classes)."""
        boxes = outputs[self.boxes][..., [1, 0, 3, 2]]
        numbers = np.round(outputs[self.classes]).astype(np.int64)
        used = np.arange(boxes.shape[1]) < outputs[self.count].reshape(-1, 1)
        chosen = numbers[..., np.newaxis] == np.arange(self.class_count)
        scores = np.where(used, outputs[self.scores], 0)[..., np.newaxis]
        return boxes, np.where(chosen, scores, 0)


def _find(sample: HeadSample) -> SsdPostprocess | None:
    sizes = [output[0].size for output in sample.outputs]
    shapes = [output.shape[1:] for output in sample.outputs]
    wide = [i for i, shape in enumerate(shapes) if len(shape) == 2 and shape[1] == 4]
    if len(shapes) != 4 or len(wide) != 1 or sizes.count(1) != 1:
        return None
    boxes, count = wide[0], sizes.index(1)
    lists = [i for i in range(4) if i not in (boxes, count)]
    if any(shapes[i] != (shapes[boxes][0],) for i in lists):
        return None
    classes, scores = lists
    numbers = sample.outputs[scores]
    if np.array_equal(numbers, np.round(numbers)) and numbers.max() > 1:  # the other way round
        classes, scores = scores, classes
    highest = int(np.round(sample.outputs[classes].max(initial=0)))
    return SsdPostprocess(boxes, classes, scores, count, max(highest + 1, sample.classes))


def _port(decoder: Decoder, shapes: Shapes) -> HeadPort:
    assert isinstance(decoder, SsdPostprocess)
    values = {
        "box_output": decoder.boxes,
        "class_output": decoder.classes,
        "score_output": decoder.scores,
        "count_output": decoder.count,
    }
    return HeadPort(shapes[decoder.boxes][0], decoder.class_count, values)


register(
    DetectionHead(
        "ssd-postprocess",
        "the four outputs of TFLite_Detection_PostProcess: boxes (samples, boxes, 4) as y_min, x_min, y_max, "
        "x_max, classes and scores (samples, boxes), and their number",
        _find,
        max_iou=1.0,
        port=_port,
    )
)

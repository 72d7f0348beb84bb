"""FOMO: the class of each cell of a grid, the first of which is the background. Objects have no size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.scoring.head_types import Decoder, DetectionHead, HeadPort, HeadSample, Shapes, register


@dataclass(frozen=True)
class Fomo:
    """Decoder of grids: neighbouring cells of a class are one object.

    Attributes:
        min_score: Smallest score of a cell.
        is_softmax: True if softmax is applied to the cells.
    """

    min_score: float
    is_softmax: bool

    def __call__(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes, shape (samples, boxes, 4), and scores, (samples, boxes, classes)."""
        cells = outputs[0].astype(np.float32)
        if self.is_softmax:
            cells = np.exp(cells - cells.max(axis=-1, keepdims=True))
            cells = cells / cells.sum(axis=-1, keepdims=True)
        found = [self._objects(np.moveaxis(image[..., 1:], -1, 0)) for image in cells]
        return np.stack([boxes for boxes, _ in found]), np.stack([scores for _, scores in found])

    def _objects(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes and scores of one image, each at the first cell of its object."""
        classes, rows, columns = cells.shape
        boxes, scores = np.zeros((*cells.shape, 4), np.float32), np.zeros((*cells.shape, classes), np.float32)
        left = cells >= self.min_score
        for number, row, column in np.argwhere(left):
            members, waiting = [], [(int(row), int(column))]
            while waiting:
                y, x = waiting.pop()
                if 0 <= y < rows and 0 <= x < columns and left[number, y, x]:
                    left[number, y, x] = False
                    members.append((y, x))
                    waiting += [(y + j, x + i) for j in (-1, 0, 1) for i in (-1, 0, 1)]
            if members:
                y, x = np.array(members).T
                edges = x.min() / columns, y.min() / rows, (x.max() + 1) / columns, (y.max() + 1) / rows
                boxes[number, row, column] = edges
                scores[number, row, column, number] = cells[number, y, x].max()
        return boxes.reshape(-1, 4), scores.reshape(-1, classes)


def _find(sample: HeadSample) -> Fomo | None:
    outputs = sample.outputs
    if len(outputs) != 1 or outputs[0].ndim != 4 or outputs[0].shape[-1] < 2:
        return None
    cells = outputs[0]
    in_unit = cells.min(initial=0) >= -1e-3 and cells.max(initial=0) <= 1 + 1e-3
    return Fomo(0.5, not in_unit)


def _port(decoder: Decoder, shapes: Shapes) -> HeadPort:
    assert isinstance(decoder, Fomo)
    rows, columns, channels = shapes[0]
    values = {
        "output": 0,
        "rows": rows,
        "columns": columns,
        "min_score": decoder.min_score,
        "is_softmax": decoder.is_softmax,
    }
    return HeadPort((channels - 1) * rows * columns, channels - 1, values)


register(
    DetectionHead(
        "fomo",
        "one output of shape (samples, rows, columns, 1 + classes), the class of each cell of a grid with "
        "the background first",
        _find,
        max_iou=1.0,
        metric="centroid_f1",
        port=_port,
    )
)

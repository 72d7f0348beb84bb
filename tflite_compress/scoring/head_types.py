"""What a detection head is: outputs of a known layout, and the function that decodes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

HEADS: dict[str, DetectionHead] = {}


class Decoder(Protocol):
    """Decodes outputs of a model. Its ``repr`` is the expression that makes it."""

    def __call__(self, outputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes and scores.

        Args:
            outputs: All outputs of the model, each with shape (samples, ...).

        Returns:
            Boxes as x_min, y_min, x_max, y_max with coordinates from 0 to 1, shape (samples, boxes, 4), and
            the score of each class, shape (samples, boxes, classes).
        """


@dataclass(frozen=True, eq=False)
class HeadSample:
    """The outputs of the original model on some images.

    Attributes:
        outputs: One array per output, shape (samples, ...).
        image: Width and height of the model's input in pixels.
        classes: Number of classes that labels name; 0 without labels.
        anchors: y, x, height and width of the anchors of SSD, shape (anchors, 4); None if not given.
        is_named: True if the user named the head: outputs that other heads have too are accepted.
    """

    outputs: tuple[np.ndarray, ...]
    image: tuple[int, int]
    classes: int
    anchors: np.ndarray | None
    is_named: bool

    def scale_of(self, boxes: np.ndarray) -> tuple[float, float]:
        """Return the width and height that boxes are relative to: the image's for pixels, else 1."""
        in_pixels = float(np.abs(boxes).max(initial=0)) > 2
        return (float(self.image[0]), float(self.image[1])) if in_pixels else (1.0, 1.0)


Shapes = tuple[tuple[int, ...], ...]
PortValue = bool | int | float | np.ndarray


@dataclass(frozen=True, eq=False)
class HeadPort:
    """What fills the C and Kotlin templates of a head, which are in the folder of its module.

    Attributes:
        boxes: Number of boxes of an image.
        classes: Number of classes.
        values: A value for each other ``@@name``.
    """

    boxes: int
    classes: int
    values: Mapping[str, PortValue]


@dataclass(frozen=True)
class DetectionHead:
    """A layout of a detector's outputs.

    Attributes:
        name: Name for ``--head``.
        summary: What the outputs hold, for messages and the documentation.
        find_decoder: Returns the decoder of outputs; None if they have another layout.
        max_iou: Largest accepted overlap of two detections of a class; 1 where the outputs need no
            non-maximum suppression.
        metric: Name of the default metric.
        port: Returns the values of the head's templates, ``(decoder, shapes of the outputs without the batch)
            -> port``; None for a user's function, which has no templates.
    """

    name: str
    summary: str
    find_decoder: Callable[[HeadSample], Decoder | None]
    max_iou: float = 0.6
    metric: str = "coco_map"
    port: Callable[[Decoder, Shapes], HeadPort] | None = None


def register(head: DetectionHead) -> DetectionHead:
    """Make a head known by its name, and return it."""
    HEADS[head.name] = head
    return head


def are_logits(scores: np.ndarray) -> bool:
    """Return whether scores are before the sigmoid function: outside 0 to 1."""
    return bool(scores.min(initial=0) < -1e-3 or scores.max(initial=0) > 1 + 1e-3)

"""A detector: its head's decoder and the selection of detections, for evaluation and for the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite_compress.scoring.box_functions import select_detections
from tflite_compress.scoring.head_registry import FoundHead, find_head, head_name
from tflite_compress.scoring.head_types import Decoder, DetectionHead, HeadSample
from tflite_compress.scoring.joint_output import HeadOptions, ModelSample
from tflite_compress.support.errors import DataError, UsageError
from tflite_compress.support.references import resolve_reference

SCORED_MIN = 0.001  # low scores belong to the precision-recall curve
SCORED_DETECTIONS = 100
SURE = 0.3  # score from which detections of the original stand for labels


@dataclass(frozen=True)
class Detector:
    """Turns all outputs of a model into detections.

    Attributes:
        head: Name of the head.
        decoder: Decodes the outputs into boxes and scores.
        max_iou: Largest accepted overlap of two detections of a class; 1 keeps all.
        min_score: Smallest score of a detection.
        max_detections: Number of detections of an image.
    """

    head: str
    decoder: Decoder
    max_iou: float
    min_score: float = SCORED_MIN
    max_detections: int = SCORED_DETECTIONS

    def __call__(self, outputs: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return detections: class, score, x_min, y_min, x_max, y_max; shape (samples, detections, 6).

        Args:
            outputs: One array per output, shape (samples, ...).
        """
        boxes, scores = self.decoder(outputs)
        return select_detections(boxes, scores, self.min_score, self.max_iou, self.max_detections)


def find_detector(sample: ModelSample) -> tuple[Detector, DetectionHead]:
    """Return the detector of a model, and its head.

    Args:
        sample: The outputs of the original model, and labels.

    Raises:
        DataError: The outputs fit no head, or the input is no image.
        UsageError: There is no such head.
    """
    options = sample.options
    if options.head is not None and ":" in options.head:
        decoder: Decoder = resolve_reference(options.head, "--head")
        own = DetectionHead(options.head, "the outputs that the function decodes", lambda given: decoder)
        return Detector(own.name, decoder, own.max_iou), own
    found = _recognized(sample, options)
    return Detector(found.head.name, found.decoder, found.head.max_iou), found.head


def _recognized(sample: ModelSample, options: HeadOptions) -> FoundHead:
    shape = sample.inputs.shape
    if len(shape) != 4:
        raise DataError(
            f"detection takes images, the first input has shape {shape[1:]}",
            "Name a function that decodes the outputs: --head=module:function.",
        )
    anchors = None if options.anchors is None else read_anchors(options.anchors)
    name = options.head or (None if anchors is None else "ssd")
    labelled = 0 if sample.labels is None else int(sample.labels[..., 0].max(initial=-1)) + 1
    classes = max(labelled, options.classes)
    given = HeadSample(sample.outputs, (shape[2], shape[1]), classes, anchors, name is not None)
    return find_head(given, name)


def check_head(options: HeadOptions) -> None:
    """Check a head and its anchors before a model is loaded.

    Raises:
        DataError: The anchors cannot be read.
        UsageError: There is no such head, or it has no anchors.
    """
    if options.head is not None and ":" in options.head:
        resolve_reference(options.head, "--head")
    elif options.head is not None and head_name(options.head) != "ssd" and options.anchors is not None:
        raise UsageError(
            f"--anchors is for --head=ssd, not for --head={options.head}", "Leave --anchors out."
        )
    if options.anchors is not None:
        read_anchors(options.anchors)


def read_anchors(file: str) -> np.ndarray:
    """Return y, x, height and width of each anchor, shape (anchors, 4), of a ``.npy`` or ``.csv``.

    Raises:
        DataError: The file cannot be read, or holds another shape.
    """
    hint = "Give a .npy file, or a .csv without a header: y, x, height and width of an anchor per row."
    try:
        if Path(file).suffix == ".npy":
            anchors = np.load(file, allow_pickle=False)
        else:
            anchors = np.loadtxt(file, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"--anchors={file}: cannot be read: {error}", hint) from error
    if anchors.ndim != 2 or anchors.shape[1] != 4 or not np.isfinite(anchors).all():
        raise DataError(f"--anchors={file}: has shape {anchors.shape}, expected (anchors, 4) numbers", hint)
    return np.asarray(anchors, np.float64)


def as_labels(detections: np.ndarray) -> np.ndarray:
    """Return sure detections as labels, shape (samples, detections, 5); the best one if none is sure.

    Args:
        detections: Shape (samples, detections, 6).
    """
    best = detections[..., 1].max(initial=0)
    labels = detections[..., [0, 2, 3, 4, 5]].copy()
    labels[..., 0] = np.where(detections[..., 1] >= min(SURE, best), labels[..., 0], -1)
    return labels

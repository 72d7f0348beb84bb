"""Object detection: boxes with a class and a score, of all outputs of a model together."""

from __future__ import annotations

from tflite_compress.scoring.centroid_scores import CENTROID_F1
from tflite_compress.scoring.detector import as_labels, find_detector
from tflite_compress.scoring.joint_output import JointOutput, ModelSample
from tflite_compress.scoring.mean_average_precision import COCO_OVERLAPS, MeanAveragePrecision
from tflite_compress.scoring.metrics import Head, Metric
from tflite_compress.scoring.task_types import Task, register

METRICS = (
    Metric(
        "coco_map",
        MeanAveragePrecision(COCO_OVERLAPS),
        meaning="mean average precision over the classes and the overlaps 0.5, 0.55, ... 0.95, as COCO's",
    ),
    Metric(
        "map_50",
        MeanAveragePrecision((0.5,)),
        meaning="mean average precision over the classes at an overlap of 0.5",
    ),
    Metric(
        "centroid_f1",
        CENTROID_F1,
        meaning="F1 score of detections with a score of 0.5 that share their centre with a label; the "
        "default for fomo",
    ),
)


def _joint(sample: ModelSample) -> JointOutput:
    detector, head = find_detector(sample)
    metrics = sorted(METRICS, key=lambda metric: metric.name != head.metric)
    return JointOutput("detections", detector, as_labels, tuple(metrics), detector.head)


TASK = register(
    Task(
        "object-detection",
        "boxes with a class and a score; all outputs are scored together",
        "the outputs of a detection head, and labels (samples, boxes, 5): class, x_min, y_min, x_max, y_max "
        "with coordinates from 0 to 1, and the class -1 in unused rows",
        lambda head: METRICS,
        lambda sample: Head("regression", False),
        lambda sample: False,
        joint=_joint,
    )
)

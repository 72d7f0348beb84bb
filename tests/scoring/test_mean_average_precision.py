from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO  # type: ignore[import-untyped]
from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

from tflite_compress.scoring.centroid_scores import CENTROID_F1
from tflite_compress.scoring.drop_evidence import DropRule, compare_outputs
from tflite_compress.scoring.mean_average_precision import COCO_OVERLAPS, MeanAveragePrecision
from tflite_compress.scoring.tasks.object_detection import METRICS

MAP, MAP_50 = MeanAveragePrecision(COCO_OVERLAPS), MeanAveragePrecision((0.5,))
UNUSED = (-1, 0, 0, 0, 0)


def scene(samples: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and detections that are moved a little, have other classes, or are wrong."""
    rng = np.random.default_rng(seed)
    low, size = rng.uniform(0, 0.6, (samples, 5, 2)), rng.uniform(0.1, 0.4, (samples, 5, 2))
    classes = rng.integers(0, 3, (samples, 5, 1))
    labels = np.concatenate([classes, low, low + size], axis=-1).astype(np.float32)
    labels[rng.random((samples, 5)) < 0.3] = UNUSED
    moved = labels[:, :, 1:] + rng.normal(0, 0.03, (samples, 5, 4))
    found = np.concatenate([moved, rng.uniform(0, 1, (samples, 3, 4))], axis=1)
    found[..., 2:] = np.maximum(found[..., 2:], found[..., :2] + 0.01)
    numbers = np.concatenate([labels[..., 0], rng.integers(0, 3, (samples, 3))], axis=1)
    scores = -np.sort(-np.round(rng.random((samples, 8)), 1), axis=1)  # many equal ones
    detections = np.concatenate([numbers[..., None], scores[..., None], found], axis=-1).astype(np.float32)
    return labels, detections


def by_pycocotools(labels: np.ndarray, detections: np.ndarray) -> tuple[float, float]:
    def rows(table: np.ndarray) -> list[tuple[int, int, list[float]]]:
        found = [(i, int(row[0]), row.tolist()) for i, image in enumerate(table) for row in image]
        return [row for row in found if row[1] >= 0]

    def sides(x0: float, y0: float, x1: float, y1: float) -> list[float]:
        return [x0, y0, x1 - x0, y1 - y0]

    wanted, truth = rows(labels), COCO()
    boxes = [(image, number, sides(*row[1:])) for image, number, row in wanted]
    truth.dataset = {
        "images": [{"id": i} for i in range(len(labels))],
        "categories": [{"id": i} for i in range(3)],
        "annotations": [
            {"id": i, "image_id": m, "category_id": c, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
            for i, (m, c, b) in enumerate(boxes, 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(
            [
                {"image_id": m, "category_id": c, "score": row[1], "bbox": sides(*row[2:])}
                for m, c, row in rows(detections)
            ]
        )
        judged = COCOeval(truth, found, "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return float(judged.stats[0]), float(judged.stats[1])


@pytest.mark.parametrize("seed", range(3))
def test_it_is_that_of_pycocotools(seed: int) -> None:
    labels, detections = scene(seed=seed)
    expected = by_pycocotools(labels, detections)
    assert 0.1 < expected[0] < expected[1] < 1
    assert (MAP(labels, detections), MAP_50(labels, detections)) == pytest.approx(expected, abs=1e-9)


def test_a_wrong_detection_above_the_right_one_halves_the_precision() -> None:
    labels = np.array([[[0, 0, 0, 0.5, 0.5]]], np.float32)
    right, wrong = [0, 0.5, 0, 0, 0.5, 0.5], [0, 0.9, 0.5, 0.5, 1, 1]
    assert MAP(labels, np.array([[right]])) == 1
    assert MAP(labels, np.array([[wrong, right]])) == pytest.approx(0.5)
    assert MAP(labels, np.array([[wrong]])) == 0
    assert MAP(labels, np.array([[right, right]])) == 1  # found again after all labels are found
    assert MAP(labels, np.array([[[1, *right[1:]]]])) == 0  # another class


def test_a_box_counts_at_the_overlaps_that_it_reaches() -> None:
    labels = np.array([[[0, 0, 0, 1, 1]]], np.float32)
    detection = np.array([[[0, 0.9, 0, 0, 1, 0.72]]])
    assert MAP(labels, detection) == pytest.approx(0.5)  # 0.5, 0.55, 0.6, 0.65 and 0.7
    assert MAP_50(labels, detection) == 1


def test_resamples_score_like_their_images() -> None:
    labels, detections = scene()
    detections[..., 1] += np.linspace(0, 0.01, detections[..., 1].size).reshape(24, 8)  # no equal scores
    chosen = np.random.default_rng(1).integers(0, 24, (4, 24))
    counts = np.stack([np.bincount(row, minlength=24) for row in chosen]).astype(float)
    expected = [MAP(labels[np.sort(row)], detections[np.sort(row)]) for row in chosen]
    assert MAP.resampled(labels, detections)(counts) == pytest.approx(expected)


def test_the_drop_of_a_detector_has_an_interval() -> None:
    labels, detections = scene(60)
    worse = detections.copy()
    worse[..., 2:] += 0.02
    metric = METRICS[0]
    found = compare_outputs(metric, labels, detections, worse, DropRule(0.01))
    drop = metric.drop(MAP(labels, detections), MAP(labels, worse))
    assert found.method == "paired-bootstrap" and found.drop_interval is not None
    assert found.drop_interval.low < drop < found.drop_interval.high


def test_f1_counts_centres() -> None:
    labels = np.array([[[0, 0.2, 0.2, 0.3, 0.3], [1, 0.6, 0.6, 0.7, 0.7]]], np.float32)
    near, wrong = [0, 0.9, 0.125, 0.125, 0.25, 0.25], [1, 0.9, 0.125, 0.125, 0.25, 0.25]
    assert CENTROID_F1(labels, np.array([[near]])) == pytest.approx(2 / 3)
    assert CENTROID_F1(labels, np.array([[near, near]])) == 0.5  # each label once
    assert CENTROID_F1(labels, np.array([[near, wrong]])) == 0.5
    assert CENTROID_F1(labels, np.array([[[0, 0.4, *near[2:]]]])) == 0  # not sure enough

"""Outputs that hold two known objects, in the layout of each head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tflite_compress.scoring.detector import as_labels, check_head, find_detector
from tflite_compress.scoring.head_registry import all_heads
from tflite_compress.scoring.joint_output import HeadOptions, ModelSample
from tflite_compress.support.errors import CompressError, DataError, UsageError

SIDE, CLASSES = 64, 3
OBJECTS = [(2, 0.9, 0.125, 0.25, 0.375, 0.75), (0, 0.7, 0.5, 0.5, 1.0, 0.75)]
LABELS = np.array([[[c, *box] for c, _, *box in OBJECTS]], np.float32)
Outputs = tuple[np.ndarray, ...]


def rows(offset: int, boxes: int = 30, pixels: bool = True, extra: float = 1.0) -> np.ndarray:
    """Boxes around their centre, then scores from column ``offset``; objects in rows 3 to 5, one twice."""
    values = np.zeros((1, boxes, offset + CLASSES), np.float32)
    for row, (number, score, x0, y0, x1, y1) in zip((3, 4, 5), [*OBJECTS, OBJECTS[0]], strict=True):
        scale = SIDE if pixels else 1
        values[0, row, :4] = np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]) * scale
        values[0, row, 4:offset] = extra
        values[0, row, offset + number] = score - 0.1 * (row == 5)
    return values


def logits(values: np.ndarray) -> np.ndarray:
    shares = np.clip(values, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(shares / (1 - shares)))


ANCHORS = np.tile([0.5, 0.5, 0.2, 0.4], (30, 1))


def ssd() -> Outputs:
    boxes, scores = np.zeros((1, 30, 4), np.float32), np.zeros((1, 30, 1 + CLASSES), np.float32)
    scores[..., 0] = 1
    for row, (number, score, x0, y0, x1, y1) in enumerate(OBJECTS):
        centre = (np.array([(y0 + y1) / 2, (x0 + x1) / 2]) - 0.5) / [0.2, 0.4] * 10
        size = np.log(np.array([y1 - y0, x1 - x0]) / [0.2, 0.4]) * 5
        boxes[0, row], scores[0, row, 1 + number] = [*centre, *size], score
    return boxes, scores


def postprocess() -> Outputs:
    boxes = np.array([[[y0, x0, y1, x1] for _, _, x0, y0, x1, y1 in OBJECTS] + [[0, 0, 1, 1]]], np.float32)
    return (
        np.array([2.0]),
        boxes,
        np.array([[2.0, 0, 1]]),
        np.array([[0.9, 0.7, 0.8]]),
    )


def centres() -> Outputs:
    heat = np.zeros((1, 16, 16, CLASSES), np.float32)
    size, offset = np.zeros((2, 1, 16, 16, 2), np.float32)
    for number, score, x0, y0, x1, y1 in OBJECTS:
        middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) * 16
        x, y = middle.astype(int)
        heat[0, y, x, number], heat[0, y, x - 1, number] = score, score / 2  # no peak beside the peak
        size[0, y, x], offset[0, y, x] = np.array([x1 - x0, y1 - y0]) * 16, middle - (x, y)
    return heat, size, offset


def grid() -> Outputs:
    cells = np.zeros((1, 8, 8, 1 + CLASSES), np.float32)
    for number, score, *box in OBJECTS:
        x0, y0, x1, y1 = (int(8 * v) for v in box)
        cells[0, y0:y1, x0:x1, 1 + number] = score
    return (cells,)


LAYOUTS: dict[str, tuple[str, Callable[[], Outputs]]] = {
    "yolo v8 in pixels": ("yolo-v8", lambda: (rows(4).swapaxes(1, 2),)),
    "yolo v8 in shares": ("yolo-v8", lambda: (rows(4, pixels=False).swapaxes(1, 2),)),
    "yolo v8 as rows": ("yolo-v8", lambda: (rows(4),)),
    "yolo v8 in two": ("yolo-v8", lambda: (rows(4)[..., 4:], rows(4)[..., :4].swapaxes(1, 2))),
    "yolo v8 with logits": ("yolo-v8", lambda: (rows(4)[..., :4], logits(rows(4)[..., 4:]))),
    "yolo v5": ("yolo-v5", lambda: (rows(5),)),
    "yolo v5 in three": ("yolo-v5", lambda: (rows(5)[..., 5:], rows(5)[..., :4], rows(5)[..., 4:5])),
    "ssd": ("ssd", ssd),
    "ssd-postprocess": ("ssd-postprocess", postprocess),
    "center-net": ("center-net", centres),
    "fomo": ("fomo", grid),
}


def sample(outputs: Outputs, head: str | None = None, anchors: str | None = None) -> ModelSample:
    return ModelSample(outputs, LABELS, np.zeros((1, SIDE, SIDE, 3)), HeadOptions(head, anchors))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_recognized_and_gives_the_objects(layout: str, tmp_path: Path) -> None:
    name, make = LAYOUTS[layout]
    file = None
    if name == "ssd":
        file = str(tmp_path / "anchors.npy")
        np.save(file, ANCHORS)
    for head in (None, name):
        detector, found = find_detector(sample(make(), head, file))
        assert found.name == name
        detections = detector(make())
        assert detections.shape == (1, 100, 6)
        assert np.allclose(detections[0, :2], OBJECTS, atol=1e-5), detections[0, :3]
        assert np.all(detections[0, 2:, 0] == -1)


def test_every_head_has_a_layout_here() -> None:
    assert {name for name, _ in LAYOUTS.values()} == set(all_heads())


def test_a_better_box_removes_only_boxes_of_its_class() -> None:
    values = rows(4, pixels=False)
    values[0, 5, 4:] = 0, 0.8, 0  # the place of object 2, another class
    detections = find_detector(sample((values.swapaxes(1, 2),)))[0]((values.swapaxes(1, 2),))
    assert detections[0, :3, 0].tolist() == [2, 1, 0]


def test_settings_of_the_original_hold_for_a_file_whose_scores_are_lost() -> None:
    original = rows(4).swapaxes(1, 2)
    detector, _ = find_detector(sample((original,)))
    broken = original.copy()
    broken[:, 4:] = 0
    assert np.all(detector((broken,))[..., 0] == -1)


def test_sure_detections_stand_for_labels() -> None:
    detections = np.zeros((2, 3, 6), np.float32)
    detections[..., 0] = -1
    detections[0, 0], detections[0, 1] = (1, 0.8, 0, 0, 1, 1), (0, 0.2, 0, 0, 1, 1)
    assert as_labels(detections)[..., 0].tolist() == [[1, -1, -1], [-1, -1, -1]]


def refusal(outputs: Outputs, head: str | None = None) -> str:
    with pytest.raises(CompressError) as caught:
        find_detector(sample(outputs, head))
    return f"{caught.value.message} {caught.value.hint}"


def test_outputs_of_no_head_are_refused() -> None:
    assert "no detection head is known for outputs of shape (10,)" in refusal((np.zeros((1, 10)),))
    assert "--head=yolo-v5 does not fit outputs of shape (10,)" in refusal((np.zeros((1, 10)),), "yolo-v5")
    assert "Did you mean 'yolo-v5' or 'yolo-v8'" in refusal(ssd(), "yolo-v9")
    assert "--anchors=FILE.npy" in refusal(ssd(), "ssd")
    with pytest.raises(DataError, match="the first input has shape"):
        find_detector(replace(sample(grid()), inputs=np.zeros((1, 9))))


def test_a_users_function_decodes() -> None:
    detector, head = find_detector(sample(grid(), f"{__name__}:whole_image"))
    assert detector(grid())[0, 0].tolist() == [0, 0.5, 0, 0, 1, 1]
    assert head.metric == "coco_map"


def whole_image(outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
    count = len(outputs[0])
    return np.tile([0.0, 0, 1, 1], (count, 1, 1)), np.full((count, 1, 1), 0.5)


def test_anchors_are_checked_before_the_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--anchors is for --head=ssd, not for --head=fomo"):
        check_head(HeadOptions("fomo", "a.npy"))
    with pytest.raises(DataError, match=r"--anchors=none\.npy: cannot be read"):
        check_head(HeadOptions(None, "none.npy"))
    (tmp_path / "a.csv").write_text("1,2,3\n")
    with pytest.raises(DataError, match="shape"):
        check_head(HeadOptions(None, str(tmp_path / "a.csv")))
    (tmp_path / "b.csv").write_text("0.5,0.5,0.2,0.4\n" * 30)
    check_head(HeadOptions("ssd", str(tmp_path / "b.csv")))
    assert find_detector(sample(ssd(), None, str(tmp_path / "b.csv")))[1].name == "ssd"

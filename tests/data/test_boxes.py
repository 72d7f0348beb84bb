from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.data.samples import RawData, Samples, bind
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError

IMAGE = TensorSpec("image", (None, 8, 8, 3), "float32")
HEAD = TensorSpec("head", (None, 7, 20), "float32")
BOXES = np.array([[[1, 0, 0, 0.5, 0.5], [-1, 0, 0, 0, 0]], [[0, 0.1, 0.2, 0.3, 1], [2, 0, 0, 1, 1]]])


def bound(labels: object, *outputs: TensorSpec) -> Samples:
    raw = RawData(np.zeros((2, 8, 8, 3)), labels, "d.npz")  # type: ignore[arg-type]
    return bind(raw, (IMAGE,), outputs or (HEAD,))


@pytest.mark.parametrize("labels", [BOXES, {"y": BOXES}, [BOXES]])
def test_boxes_are_labels_for_all_outputs(labels: object) -> None:
    for outputs in ((HEAD,), (HEAD, TensorSpec("other", (None, 4), "float32"))):
        samples = bound(labels, *outputs)
        assert samples.has_boxes and samples.labels is not None
        assert len(samples.labels) == 1 and samples.labels[0].dtype == np.float32
        assert np.allclose(samples.labels[0], BOXES)


def test_targets_shaped_like_the_output_are_no_boxes() -> None:
    assert not bound(BOXES, TensorSpec("values", (None, 2, 5), "float32")).has_boxes
    mask = np.zeros((2, 2, 5))
    assert not bound(mask, TensorSpec("mask", (None, 2, 5, 3), "float32")).has_boxes


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((1.5, 0, 0, 1, 1), "box 1 of sample 0 has a class that is no whole number from 0: 1.5, 0, 0, 1, 1"),
        ((-2, 0, 0, 1, 1), "a class that is no whole number from 0"),
        ((1, 0, 0, 20, 20), "coordinates outside 0 to 1: 1, 0, 0, 20, 20"),
        ((1, np.nan, 0, 1, 1), "coordinates outside 0 to 1"),
        ((1, 0.5, 0, 0.4, 1), "x_max below x_min or y_max below y_min"),
    ],
)
def test_a_row_that_is_no_box_is_named(row: tuple[float, ...], message: str) -> None:
    labels = BOXES.copy()
    labels[0, 1] = row
    with pytest.raises(DataError, match=f"d.npz: .*{message}") as caught:
        bound(labels)
    assert "class -1 in unused rows" in str(caught.value.hint)

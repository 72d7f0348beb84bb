from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tflite_compress.data.samples import Samples
from tflite_compress.passes import Context
from tflite_compress.passes.algorithms.distillation import training_targets
from tflite_compress.scoring.metrics import Head


class Fixed:
    """A network whose outputs are given."""

    def __init__(self, outputs: np.ndarray) -> None:
        self.outputs = outputs

    def predict(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        return (self.outputs,)


def targets(
    context: Context, head: Head, labels: np.ndarray, outputs: np.ndarray, loss: str | None
) -> np.ndarray:
    train = Samples((np.zeros((1, 1), np.float32),), (labels,), "made up")
    reference = replace(
        context.reference,
        network=Fixed(outputs),  # type: ignore[arg-type]
        splits=replace(context.reference.splits, train=train),
        heads=(head,),
        tasks=(),
        loss=loss,
    )
    return training_targets(replace(context, reference=reference), 0.5)[0]


MAP = np.array([[[1, -1], [0, -1]]])  # a class for each of two pixels, none for the others
SHARES = np.full((1, 2, 2, 2), [0.25, 0.75], np.float32)


def test_pixels_without_a_class_follow_the_teacher(context: Context) -> None:
    head = Head("classification", False)
    found = targets(context, head, MAP, SHARES, None)
    assert found[0, 0, 0].tolist() == [0.125, 0.875] and found[0, 1, 0].tolist() == [0.625, 0.375]
    assert found[0, :, 1].tolist() == [[0.125, 0.375]] * 2  # the labels add nothing
    sparse = targets(context, head, MAP, SHARES, "sparse_categorical_crossentropy")
    assert sparse.tolist() == [[[1, 1], [0, 1]]]


@pytest.mark.parametrize(("loss", "known"), [(None, [0.875, 0.375]), ("binary_crossentropy", [1.0, 0.0])])
def test_yes_or_no_maps_follow_the_teacher_where_unknown(
    context: Context, loss: str | None, known: list[float]
) -> None:
    found = targets(context, Head("binary", False), MAP, SHARES[..., 1:], loss)
    assert found[0, :, 0, 0].tolist() == known and found[0, :, 1, 0].tolist() == [0.75, 0.75]

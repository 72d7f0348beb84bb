"""Data in the structures that functions and generators return."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tflite_compress.data.samples import bind
from tflite_compress.data.sources import ReadOptions, read
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError

X, Y = np.arange(12, dtype=np.float32).reshape(6, 2), np.arange(6) % 3
ONE = (TensorSpec("x", (None, 2), "float32"),)
TWO = (TensorSpec("a", (None, 2), "float32"), TensorSpec("b", (None, 2), "float32"))
OUT = (TensorSpec("out", (None, 3), "float32"),)


class Batches:
    """Like a keras.utils.PyDataset: indexed batches."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(2 * index, 2 * index + 2)
        return X[rows], Y[rows]


def batches() -> Iterator[list[np.ndarray]]:
    yield [X[:4], Y[:4]]
    yield [X[4:], Y[4:]]


def bound(value: Any, inputs: tuple[TensorSpec, ...]) -> Any:
    options = ReadOptions(inputs[0], input_names=tuple(spec.name for spec in inputs))
    return bind(read(value, options)["all"], inputs, OUT)


@pytest.mark.parametrize(
    "value",
    [
        (X, Y),
        [X, Y],
        (X, Y, np.ones(6)),
        {"x": X, "y": Y},
        ([X], Y),
        lambda: [X, Y],
        lambda: ((x, y) for x, y in zip(X, Y, strict=True)),
        lambda: ({"x": x, "y": y} for x, y in zip(X, Y, strict=True)),
        batches,
        Batches(),
    ],
)
def test_data_for_one_input_are_bound(value: Any) -> None:
    samples = bound(value, ONE)
    assert np.array_equal(samples.inputs[0], X) and np.array_equal(samples.labels[0], Y)


@pytest.mark.parametrize("value", [X, [X], (X,), {"x": X}, lambda: iter(X), lambda: list(X)])
def test_inputs_without_labels_are_bound(value: Any) -> None:
    samples = bound(value, ONE)
    assert np.array_equal(samples.inputs[0], X) and samples.labels is None


@pytest.mark.parametrize(
    "value",
    [
        ([X, X + 1], Y),
        [[X, X + 1], Y],
        ({"a": X, "b": X + 1}, Y),
        [{"b": X + 1, "a": X}, Y],
        lambda: (((x, x + 1), y) for x, y in zip(X, Y, strict=True)),
        lambda: ([{"a": x, "b": x + 1}, y] for x, y in zip(X, Y, strict=True)),
    ],
)
def test_data_for_two_inputs_are_bound(value: Any) -> None:
    samples = bound(value, TWO)
    assert np.array_equal(samples.inputs[0], X) and np.array_equal(samples.inputs[1], X + 1)
    assert np.array_equal(samples.labels[0], Y)


def test_a_list_of_two_arrays_is_two_inputs_of_a_model_with_two() -> None:
    samples = bound([X, X + 1], TWO)
    assert np.array_equal(samples.inputs[1], X + 1) and samples.labels is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ((X, Y, Y, Y), r"a tuple of 4 \(an array of shape \(6, 2\)"),
        (lambda: 3, "a int"),
        (lambda: iter(()), "no samples"),
        (lambda: iter([(X, Y[:3])]), "parts of 3 and 6 samples"),
        (lambda: (1 / 0 for _ in X), "raised ZeroDivisionError"),
        (lambda: iter([X[0], X[0][:1]]), r"shape \(1,\) after one of \(2,\)"),
    ],
)
def test_other_structures_are_described(value: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        bound(value, ONE)

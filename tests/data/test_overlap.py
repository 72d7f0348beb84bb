"""Evaluation samples that also occur in calibration or training data."""

from __future__ import annotations

import numpy as np

from tflite_compress.data.overlap import Overlap, find_overlap
from tflite_compress.data.samples import Samples
from tflite_compress.data.split import Splits, split


def rows(*numbers: int) -> Samples:
    """Samples with two inputs, of which only the second differs."""
    second = np.array(numbers, np.float32)[:, np.newaxis]
    return Samples((np.zeros((len(numbers), 3), np.float32), second), None, "rows")


def test_repeated_samples_are_counted_by_use() -> None:
    splits = Splits(rows(1, 2, 3), rows(3, 4), rows(2, 3, 3, 4, 5))
    assert find_overlap(splits) == Overlap(samples=5, in_training=3, in_calibration=3)


def test_a_split_source_without_duplicates_has_no_overlap() -> None:
    assert find_overlap(split(rows(*range(40)), 0)) == Overlap(10, 0, 0)


def test_duplicates_in_one_source_are_found() -> None:
    found = find_overlap(split(rows(*([7] * 40)), 0))
    assert found == Overlap(10, 10, 10)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_compress.data.samples import Samples
from tflite_compress.data.split import calibration_subset, split
from tflite_compress.support.errors import DataError


def numbered(count: int, classes: int | None) -> Samples:
    labels = None if classes is None else (np.arange(count) % classes,)
    return Samples((np.arange(count, dtype=np.float32)[:, np.newaxis],), labels, "numbered")


def ids(samples: Samples) -> set[float]:
    return set(samples.inputs[0][:, 0].tolist())


@settings(deadline=None)
@given(st.integers(2, 400), st.sampled_from([None, 1, 2, 7]), st.integers(0, 2**32))
def test_evaluation_never_calibrates_or_trains(count: int, classes: int | None, seed: int) -> None:
    samples = numbered(count, classes)
    splits = split(samples, seed)
    assert not ids(splits.evaluate) & ids(splits.train)
    assert ids(splits.evaluate) | ids(splits.train) == ids(samples)
    assert ids(splits.calibrate) <= ids(splits.train)
    assert len(splits.evaluate) and len(splits.train) and len(splits.calibrate)


def test_classes_keep_their_shares() -> None:
    labels = np.repeat([0, 1], [900, 100])
    samples = Samples((np.arange(1000.0)[:, np.newaxis],), (labels,), "s")
    parts = split(samples, 0)
    assert parts.evaluate.labels is not None
    counts = np.bincount(parts.evaluate.labels[0])
    assert abs(counts[0] - 225) <= 1 and abs(counts[1] - 25) <= 1


def test_equal_seeds_split_alike_and_others_do_not() -> None:
    samples = numbered(200, 3)
    assert ids(split(samples, 5).evaluate) == ids(split(samples, 5).evaluate)
    assert ids(split(samples, 5).evaluate) != ids(split(samples, 6).evaluate)


def test_the_calibration_subset_is_bounded_and_stratified() -> None:
    subset = calibration_subset(numbered(10_000, 10), 0)
    assert len(subset) <= 256 and subset.labels is not None
    assert np.bincount(subset.labels[0], minlength=10).min() >= 20


def test_one_sample_cannot_be_split() -> None:
    with pytest.raises(DataError, match="cannot be split"):
        split(numbered(1, None), 0)

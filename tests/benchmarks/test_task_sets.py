"""The generated data sets contain what their labels say."""

from __future__ import annotations

import numpy as np
import pytest
from task_sets import _mel_filters, _scenes, _sound, _windows


def test_classes_of_pixels_are_where_the_shapes_are() -> None:
    images, classes = _scenes(np.random.default_rng(0), 4)
    assert images.shape == (4, 64, 64, 3) and images.min() >= 0 and images.max() <= 1
    assert classes.shape == (4, 64, 64) and set(np.unique(classes)) == {0, 1, 2, 3}
    ground = images[0][classes[0] == 0]
    assert ground.std(axis=0).max() < 0.1  # one colour and its noise


def test_equal_seeds_give_equal_sets() -> None:
    one, same, other = (_scenes(np.random.default_rng(seed), 1)[0] for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("fault", ["bearing", "loose", "speed"])
def test_a_fault_is_heard(fault: str) -> None:
    usual, faulty = (_windows([_sound(np.random.default_rng(0), kind)]) for kind in (None, fault))
    assert usual.shape == faulty.shape == (29, 320)
    assert np.abs(usual.mean(axis=0) - faulty.mean(axis=0)).max() > 3  # decibels


def test_mel_filters_cover_each_frequency_between_their_edges() -> None:
    covered = _mel_filters().sum(axis=1)
    assert covered[20:470] == pytest.approx(np.ones(450))

from __future__ import annotations

import pytest

from tflite_compress.support.progress import Silent
from tflite_compress.support.step_times import TimedProgress


def test_a_step_is_timed_without_the_steps_inside_it() -> None:
    now = 0.0
    timed = TimedProgress(Silent(), clock=lambda: now)
    with timed.step("training"):
        now += 5
        for _ in range(2):
            with timed.step("judging"):
                now += 1
    with timed.step("judging"):
        now += 0.5
    assert timed.seconds == {"judging": 2.5, "training": 5}


def test_times_continue_apart_and_count_steps_that_fail() -> None:
    now = 0.0
    timed = TimedProgress(Silent(), {"loading": 2.0}, lambda: now)
    other = timed.continued()
    with pytest.raises(ValueError), other.step("training"):
        now += 3
        raise ValueError
    assert other.seconds == {"loading": 2, "training": 3} and timed.seconds == {"loading": 2}

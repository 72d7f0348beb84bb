from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.timing.stats import Interval, compute_ratio, describe_ratio, has_settled, summarize


def times(scale: float, seed: int, processes: int = 3, shift: float = 0.0) -> list[list[np.ndarray]]:
    """Log-normal runs with rounds, and a luck of its own for each process."""
    generator = np.random.default_rng(seed)
    luck = np.exp(shift * generator.standard_normal(processes))
    return [[scale * lucky * generator.lognormal(0, 0.05, 20) for _ in range(12)] for lucky in luck]


def test_percentiles_and_their_intervals() -> None:
    found = summarize(times(2.0, 0))
    assert found.median_ms.low <= found.median_ms.value <= found.median_ms.high
    assert found.median_ms.value == pytest.approx(2.0, rel=0.01) and found.runs == 3 * 12 * 20
    assert found.median_ms.value < found.p90_ms < found.p99_ms
    assert found.median_ms.high - found.median_ms.low < 0.05


@pytest.mark.parametrize(("factor", "words"), [(0.9, "faster"), (1.0, "no difference"), (1.1, "slower")])
def test_a_ratio_is_described_in_words(factor: float, words: str) -> None:
    for seed in range(10):
        found = compute_ratio(times(2.0 * factor, 2 * seed), times(2.0, 2 * seed + 1))
        assert found.low <= factor <= found.high or abs(found.value - factor) < 0.02
        assert describe_ratio(found).startswith(words)


def test_chance_differences_between_processes_are_not_reported() -> None:
    told = [
        describe_ratio(compute_ratio(times(1, s, shift=0.01), times(1, s + 50, shift=0.01)))
        for s in range(20)
    ]
    assert told.count("no difference measured") >= 19


def test_small_or_uncertain_differences_are_not_reported() -> None:
    assert describe_ratio(Interval(0.99, 0.985, 0.995)) == "no difference measured"
    assert describe_ratio(Interval(1.03, 0.99, 1.06)) == "no difference measured"


def test_when_a_warm_up_ends() -> None:
    assert not has_settled([1.0] * 9)
    assert has_settled([3.0, 2.0, *[1.0] * 10])
    assert not has_settled([3.0, 2.8, 2.6, 2.5, 2.4, 2.0, 1.8, 1.6, 1.4, 1.2])

"""Intervals hold the true value as often as they say."""

import numpy as np
import pytest

from tflite_compress.scoring.drop_evidence import DropRule
from tflite_compress.scoring.intervals import (
    expanded_tail,
    normal_quantile,
    paired_share_bounds,
    paired_share_interval,
    percentile_interval,
    resample_counts,
    resamples_for,
    wilson_interval,
)

RUNS = 2000


@pytest.mark.parametrize(
    ("samples", "lost", "gained"),
    [(100, 0.08, 0.04), (300, 0.05, 0.03), (1000, 0.02, 0.005), (1000, 0.01, 0.01)],
)
def test_95_percent_intervals_of_paired_accuracy_hold_the_true_drop(
    samples: int, lost: float, gained: float
) -> None:
    rng = np.random.default_rng(7)
    drawn = rng.multinomial(samples, [lost, gained, 1 - lost - gained], RUNS)
    low, high = paired_share_bounds(drawn[:, 0], drawn[:, 1], samples, 0.95)
    assert 0.93 <= np.mean((low <= lost - gained) & (lost - gained <= high)) <= 0.97


@pytest.mark.parametrize("samples", [20, 150])
def test_95_percent_intervals_of_the_bootstrap_hold_the_true_drop(samples: int) -> None:
    rng = np.random.default_rng(3)
    difference = rng.gamma(4.0, 0.25, (RUNS, samples)) - 0.9  # skewed; the mean is 0.1
    means = difference @ np.concatenate(list(resample_counts(samples, 400, 5))).T / samples
    tail = expanded_tail(samples, 0.95)
    low, high = np.quantile(means, [tail, 1 - tail], axis=1)
    assert 0.93 <= np.mean((low <= 0.1) & (high >= 0.1)) <= 0.97


def test_a_choice_among_candidates_keeps_the_error_within_the_level() -> None:
    """Candidates are tried until one measures within the limit; its interval is that for all tried."""
    rng = np.random.default_rng(11)
    samples, limit, candidates = 400, 0.01, 5
    for true_drop in (0.0101, 0.02, 0.03):
        drawn = rng.multinomial(samples, [0.01 + true_drop, 0.01, 0.98 - true_drop], (RUNS, candidates))
        lost, gained = drawn[..., 0], drawn[..., 1]
        passes = (lost - gained) / samples <= limit
        tried = np.where(passes.any(axis=1), passes.argmax(axis=1), candidates - 1)
        wrong = 0
        for k in range(candidates):
            at = tried == k
            _, high = paired_share_bounds(lost[at, k], gained[at, k], samples, 1 - 0.05 / (k + 1))
            wrong += int(np.sum(high <= limit))
        assert wrong / RUNS <= 0.05


def score_statistic(lost: int, gained: int, samples: int, drop: float) -> float:
    """The statistic of the score test, with the nuisance share that maximizes the likelihood on a grid."""
    other = np.linspace(max(0.0, -drop), (1 - drop) / 2, 2_000_001)[1:-1]
    likelihood = lost * np.log(other + drop) + gained * np.log(other)
    likelihood += (samples - lost - gained) * np.log1p(-drop - 2 * other)
    best = other[np.argmax(likelihood)]
    return float((lost - gained - samples * drop) / np.sqrt(samples * (2 * best + drop * (1 - drop))))


@pytest.mark.parametrize(("lost", "gained", "samples"), [(1, 0, 44), (9, 4, 60), (2, 7, 200)])
def test_the_score_test_is_on_the_edge_at_both_ends(lost: int, gained: int, samples: int) -> None:
    found = paired_share_interval(lost, gained, samples, 0.95)
    assert score_statistic(lost, gained, samples, found.high) == pytest.approx(-1.96, abs=0.01)
    assert score_statistic(lost, gained, samples, found.low) == pytest.approx(1.96, abs=0.01)


@pytest.mark.parametrize(("lost", "gained"), [(10, 3), (11, 3), (12, 3), (5, 0), (3, 0), (30, 16)])
def test_an_interval_leaves_out_no_drop_where_mcnemars_test_rejects(lost: int, gained: int) -> None:
    is_rejected = (lost - gained) ** 2 / (lost + gained) > 1.96**2
    assert (paired_share_interval(lost, gained, 500, 0.95).low > 0) == is_rejected


@pytest.mark.parametrize(("lost", "gained", "samples"), [(0, 0, 16), (1, 0, 16), (16, 0, 16), (3, 9, 50)])
def test_a_paired_interval_holds_the_measured_drop(lost: int, gained: int, samples: int) -> None:
    found = paired_share_interval(lost, gained, samples, 0.95)
    other = paired_share_interval(gained, lost, samples, 0.95)
    assert -1 <= found.low <= (lost - gained) / samples <= found.high <= 1
    assert (found.low, found.high) == pytest.approx((-other.high, -other.low))


def test_without_changed_answers_the_interval_is_that_of_no_event() -> None:
    found = paired_share_interval(0, 0, 100, 0.95)
    assert found.high == pytest.approx(1.96**2 / (100 + 1.96**2), rel=1e-3)


def test_wilson_holds_a_share_and_stays_within_0_and_1() -> None:
    # Newcombe, Stat. Med. 17, 1998, table I: 81 of 263, and 0 of 20.
    found, none = wilson_interval(81 / 263, 263, 0.95), wilson_interval(0.0, 20, 0.95)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert (none.low, none.high) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_the_bootstrap_needs_samples_and_values() -> None:
    values = np.linspace(0, 1, 1001)
    wide = percentile_interval(values, 10**6, 0.95)
    assert wide is not None and (wide.low, wide.high) == pytest.approx((0.025, 0.975), abs=1e-3)
    assert percentile_interval(values, 7, 0.95) is None
    assert percentile_interval(np.where(values > 0.4, np.nan, values), 100, 0.95) is None


def test_large_metrics_are_resampled_less_often() -> None:
    assert resamples_for(1000) == 2000 and resamples_for(10**9) == 200


@pytest.mark.parametrize(("files", "factor"), [(2, 1.14), (3, 1.22), (9, 1.41), (100, 1.78)])
def test_the_correction_for_several_files_widens_intervals_as_documented(files: int, factor: float) -> None:
    confidence = DropRule(0.01, 0.95, candidates=files).corrected_confidence
    assert normal_quantile(confidence) / normal_quantile(0.95) == pytest.approx(factor, abs=0.005)

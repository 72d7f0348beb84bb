"""What evaluation samples say about a drop."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.scoring.drop_evidence import DropRule, compare_outputs, judge_interval, score_interval
from tflite_compress.scoring.intervals import Interval, resample_counts
from tflite_compress.scoring.metrics import METRICS, Head, Metric
from tflite_compress.scoring.resampled_scores import r2_resampled
from tflite_compress.scoring.score_functions import r2
from tflite_compress.scoring.task_registry import find_task, metric_of_task


def answers(samples: int, wrong: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets of two classes, right predictions, and predictions of which the first ones are wrong."""
    targets = np.arange(samples) % 2
    before = np.eye(2)[targets]
    after = before.copy()
    after[:wrong] = 1 - after[:wrong]
    return targets, before, after


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(-0.01, 0.01, "kept"), (0.011, 0.2, "not-kept"), (-0.01, 0.011, "not-established")],
)
def test_the_outcome_is_that_of_the_whole_interval(low: float, high: float, outcome: str) -> None:
    assert judge_interval(Interval(low, high), 0.01) == outcome
    assert judge_interval(None, 0.01) == "not-established"


@pytest.mark.parametrize(
    ("samples", "wrong", "outcome"),
    [
        (16, 0, "not-established"),
        (16, 1, "not-established"),
        (380, 0, "not-established"),
        (390, 0, "kept"),
        (2000, 5, "kept"),
        (2000, 60, "not-kept"),
        (16, 12, "not-kept"),
    ],
)
def test_an_accuracy_drop_is_judged_by_what_the_samples_allow(samples: int, wrong: int, outcome: str) -> None:
    found = compare_outputs(METRICS["top1"], *answers(samples, wrong), DropRule(0.01))
    assert (found.outcome, found.method, found.changed_samples) == (outcome, "paired-score", wrong)
    assert found.drop_interval is not None and found.after_interval is not None
    assert found.drop_interval.low <= wrong / samples <= found.drop_interval.high


def test_so_many_samples_as_are_needed_establish_an_unchanged_accuracy() -> None:
    needed = compare_outputs(METRICS["top1"], *answers(16, 0), DropRule(0.01)).needed_samples
    assert needed is not None and 380 <= needed <= 2000
    found = compare_outputs(METRICS["top1"], *answers(needed, 0), DropRule(0.01))
    assert found.outcome == "kept"
    assert compare_outputs(METRICS["top1"], *answers(16, 0), DropRule(0.0)).needed_samples is None


def test_more_candidates_and_more_confidence_widen_the_interval() -> None:
    widths = []
    for rule in (DropRule(0.01, 0.9), DropRule(0.01), DropRule(0.01, candidates=5), DropRule(0.01, 0.999)):
        found = compare_outputs(METRICS["top1"], *answers(500, 4), rule).drop_interval
        assert found is not None
        widths.append(found.high - found.low)
    assert widths == sorted(widths) and len(set(widths)) == 4


@pytest.mark.parametrize("name", ["mae", "mse", "r2"])
def test_metrics_of_values_are_resampled_in_pairs(name: str) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(200, 3))
    before = targets + 0.3 * rng.normal(size=targets.shape)
    after = before + 0.001 * rng.normal(size=targets.shape)
    found = compare_outputs(METRICS[name], targets, before, after, DropRule(0.01))
    assert (found.outcome, found.method, found.changed_samples) == ("kept", "paired-bootstrap", None)
    # Paired: the drop is known much better than either score.
    assert found.drop_interval is not None and found.before_interval is not None
    assert found.drop_interval.high - found.drop_interval.low < 0.2 * (
        found.before_interval.high - found.before_interval.low
    )
    worse = compare_outputs(METRICS[name], targets, before, before + 0.5, DropRule(0.01))
    assert worse.outcome == "not-kept"
    assert compare_outputs(METRICS[name], targets, before, after, DropRule(0.01)) == found  # seeded


def test_r2_of_resamples_is_r2_of_the_repeated_samples() -> None:
    rng = np.random.default_rng(1)
    targets, predictions = rng.normal(size=(2, 30, 4))
    (counts,) = resample_counts(30, 6, 2)
    rows = [np.repeat(np.arange(30), row.astype(int)) for row in counts]
    expected = [r2(targets[i], predictions[i]) for i in rows]
    assert r2_resampled(targets, predictions)(counts) == pytest.approx(expected)


def test_a_metric_of_decisions_without_a_change_is_not_established_on_few_samples() -> None:
    metric = METRICS["macro_f1"]
    targets, before, after = answers(16, 0)
    assert compare_outputs(metric, targets, before, after, DropRule(0.01)).outcome == "not-established"
    assert compare_outputs(metric, *answers(600, 0), DropRule(0.01)).outcome == "kept"


def test_a_map_counts_samples_and_not_positions() -> None:
    """Positions of a map are not independent, so 20 maps of 100 positions are 20 samples."""
    rng = np.random.default_rng(4)
    targets = rng.integers(0, 2, (20, 100))
    before = np.eye(2)[targets]
    after = before.copy()
    after[0, :50] = 1 - after[0, :50]
    found = compare_outputs(METRICS["top1"], targets, before, after, DropRule(0.01))
    assert (found.outcome, found.method) == ("not-established", "paired-bootstrap")


def test_a_users_metric_that_fails_on_resamples_gives_no_interval() -> None:
    def picky(targets: np.ndarray, predictions: np.ndarray) -> float:
        if len(np.unique(predictions[:, 0])) < 20:
            raise ValueError("too few different samples")
        return 1.0

    values = np.arange(20.0)[:, None]
    found = compare_outputs(Metric("picky", picky), values, values, values, DropRule(0.01))
    assert (found.outcome, found.drop_interval) == ("not-established", None)


@pytest.mark.parametrize("task, name", [("key-points", "pck"), ("segmentation", "mean_iou")])
def test_equal_decisions_on_few_samples_establish_nothing(task: str, name: str) -> None:
    """All points are far off, or all pixels wrong, before and after."""
    is_map = task == "segmentation"
    targets = np.ones((10, 2, 2), np.int64) if is_map else np.tile([0.0, 0, 1, 1], (10, 1))
    outputs = np.tile([1.0, 0], (10, 2, 2, 1)) if is_map else targets + 50
    metric = metric_of_task(find_task(task), Head("classification" if is_map else "regression", False), name)
    found = compare_outputs(metric, targets, outputs, outputs, DropRule(0.01))
    assert found.outcome == "not-established" and found.drop_interval is not None
    assert found.drop_interval.high == pytest.approx(0.278, abs=1e-3)
    for interval in (found.after_interval, score_interval(metric, targets, outputs)):
        assert interval is not None and (interval.low, interval.high) == pytest.approx((0, 0.278), abs=1e-3)

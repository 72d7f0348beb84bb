from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.scoring.metrics import (
    METRICS,
    Head,
    Metric,
    apply_metric,
    binary_accuracy,
    binary_accuracy_from_logits,
    infer_head,
    r2,
    resolve_metric,
    top1,
    top5,
)
from tflite_compress.support.errors import DataError, UsageError

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32)
LOGITS = np.array([[5.0, -2, 0], [0, 1, 3]], np.float32)


def test_top1_takes_class_numbers_one_hot_and_soft_targets() -> None:
    assert top1(np.array([0, 1]), PROBABILITIES) == 0.5
    assert top1(np.eye(3)[[0, 2]], PROBABILITIES) == 1.0
    assert top1(PROBABILITIES, LOGITS) == 1.0


def test_top1_of_sequences_counts_every_step() -> None:
    assert top1(np.array([[0, 2]]), PROBABILITIES[np.newaxis]) == 1.0


def test_top5() -> None:
    scores = np.arange(10.0)[np.newaxis]
    assert top5(np.array([5]), scores) == 1 and top5(np.array([4]), scores) == 0


def test_binary_scores() -> None:
    assert binary_accuracy(np.array([1, 0]), np.array([[0.9], [0.6]])) == 0.5
    assert binary_accuracy_from_logits(np.array([1, 0]), np.array([[0.2], [-3.0]])) == 1.0


def test_r2_is_one_when_exact_and_zero_for_the_mean() -> None:
    y = np.array([[1.0], [2.0], [3.0]])
    assert r2(y, y) == 1 and r2(y, np.full((3, 1), 2.0)) == 0


def test_drop_is_a_difference_for_scores_and_relative_for_errors() -> None:
    assert METRICS["top1"].drop(0.9, 0.88) == pytest.approx(0.02)
    assert METRICS["mae"].drop(2.0, 2.1) == pytest.approx(0.05)
    assert METRICS["top1"].drop_in_words(0.01234) == "1.23 points"
    assert METRICS["top1"].drop_in_words(0.01) == "1 point"
    assert METRICS["mae"].drop_in_words(0.05) == "5 % more"


@pytest.mark.parametrize(
    ("output", "labels", "loss", "head"),
    [
        (PROBABILITIES, None, None, Head("classification", False)),
        (LOGITS, np.array([0, 1]), None, Head("classification", True)),
        (LOGITS, np.eye(3)[[0, 1]], None, Head("classification", True)),
        (LOGITS, None, "sparse_categorical_crossentropy", Head("classification", True)),
        (LOGITS, None, None, Head("regression", False)),
        (LOGITS[:, :1], None, "binary_crossentropy", Head("binary", True)),
        (np.array([[0.1], [0.9]]), None, None, Head("binary", False)),
        (np.array([[0.1], [0.9]]), np.array([3.0, 4.0]), None, Head("regression", False)),
        (np.array([[0.1], [0.9]]), None, "mean_squared_error", Head("regression", False)),
    ],
)
def test_heads_are_inferred(output: np.ndarray, labels: np.ndarray, loss: str, head: Head) -> None:
    assert infer_head(output, labels, loss) == head


def test_metrics_by_name() -> None:
    assert resolve_metric("top5").name == "top5"
    with pytest.raises(UsageError, match="metric=accuraccy"):
        resolve_metric("accuraccy")


def close(targets: np.ndarray, predictions: np.ndarray) -> float:
    return float(np.mean(np.abs(targets - predictions) < 0.5))


def test_a_function_is_a_metric() -> None:
    metric = resolve_metric(close)
    assert metric.name == "tests.scoring.test_metrics:close" and metric.higher_is_better
    assert apply_metric(metric, np.zeros(4), np.array([0, 0.1, 1, 2])) == 0.5


def test_a_function_may_be_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(close, "lower_is_better", True, raising=False)
    assert not resolve_metric(close).higher_is_better


def test_a_metric_that_fails_or_gives_nan_is_reported() -> None:
    with pytest.raises(DataError, match="returned nan"):
        apply_metric(Metric("m", lambda t, p: float("nan")), LOGITS, LOGITS)
    with pytest.raises(DataError, match="metric m failed"):
        apply_metric(Metric("m", lambda t, p: 1 / 0), LOGITS, LOGITS)

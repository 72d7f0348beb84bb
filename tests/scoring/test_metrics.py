from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.scoring.default_metric import fitting_metric, hardly_varies
from tflite_compress.scoring.metrics import METRICS, Head, Metric, apply_metric, infer_head, resolve_metric
from tflite_compress.scoring.score_functions import (
    binary_accuracy,
    binary_accuracy_from_logits,
    closeness,
    f1,
    f1_from_logits,
    r2,
    top1,
    top5,
)
from tflite_compress.scoring.task_registry import all_tasks
from tflite_compress.support.errors import DataError, UsageError

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32)
LOGITS = np.array([[5.0, -2, 0], [0, 1, 3]], np.float32)


def test_top1_takes_class_numbers_one_hot_and_soft_targets() -> None:
    assert top1(np.array([0, 1]), PROBABILITIES) == 0.5
    assert top1(np.eye(3)[[0, 2]], PROBABILITIES) == 1.0
    assert top1(PROBABILITIES, LOGITS) == 1.0


def test_top1_of_sequences_counts_every_step() -> None:
    assert top1(np.array([[0, 2]]), PROBABILITIES[np.newaxis]) == 1.0


def test_top5_counts_the_five_largest_outputs() -> None:
    scores = np.arange(10.0)[np.newaxis]
    assert top5(np.array([5]), scores) == 1 and top5(np.array([4]), scores) == 0


def test_binary_accuracy_has_its_threshold_at_one_half() -> None:
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


def test_the_drop_of_an_error_rate_is_points() -> None:
    """A rate can be 0, to which nothing can be relative."""
    tasks = all_tasks()
    metrics = [m for task in tasks.values() for m in task.metrics(Head("regression", False))]
    rates = [metric for metric in metrics if metric.is_share and not metric.higher_is_better]
    assert sorted(rate.name for rate in rates) == ["eer", "label_error_rate"]
    for rate in rates:
        assert rate.drop(0.0, 0.02) == pytest.approx(0.02)
        assert rate.drop_in_words(0.02) == "2 points"


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
        (PROBABILITIES, np.array([0, 1]), "mse", Head("classification", False)),
        (LOGITS, np.array([0, 1]), "mse", Head("classification", True)),
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


def test_f1_sees_rare_decisions() -> None:
    targets = np.zeros((10, 100))
    targets[:, 0] = 1
    silent, shifted = np.zeros((10, 100)), np.roll(targets, 1, axis=1)
    assert binary_accuracy(targets, silent) == 0.99 and f1(targets, silent) == 0 == f1(targets, shifted)
    assert f1(targets, targets) == 1 == f1(1 - targets, 1 - targets) and f1(silent, silent) == 1
    assert f1_from_logits(targets, targets - 0.5) == 1
    assert f1(targets, np.maximum(targets, shifted)) == pytest.approx(2 / 3)


def test_macro_f1_counts_rare_classes_as_much_as_frequent_ones() -> None:
    targets = np.zeros((4, 50), int)
    targets[:, 0] = 1
    answers, macro_f1 = np.eye(3)[targets], METRICS["macro_f1"].function
    assert macro_f1(targets, answers) == 1 == macro_f1(answers, answers)
    background = np.eye(3)[np.zeros_like(targets)]
    assert top1(targets, background) == 0.98 and macro_f1(targets, background) < 0.5


@pytest.mark.parametrize(
    ("head", "targets", "is_labelled", "name"),
    [
        (Head("binary", False), np.arange(2000).reshape(20, 100) % 50 == 0, False, "r2"),
        (Head("binary", False), np.arange(20000).reshape(20, 1000) % 50 == 0, True, "f1"),
        (Head("binary", True), np.arange(20000).reshape(20, 1000) % 50 == 0, True, "f1"),
        (Head("binary", False), np.arange(500).reshape(5, 100) % 50 == 0, True, "binary_accuracy"),
        (Head("binary", False), np.arange(20000) % 50 == 0, True, "f1"),
        (Head("binary", False), np.arange(200) % 50 == 0, False, "binary_accuracy"),
        (Head("binary", False), np.arange(2000).reshape(20, 100) % 3 == 0, False, "binary_accuracy"),
        (Head("classification", False), (np.arange(20000).reshape(20, 1000) % 50 == 0) * 2, True, "macro_f1"),
        (Head("classification", False), (np.arange(200) % 50 == 0) * 2, True, "top1"),
        (Head("regression", False), np.zeros((20, 100)), True, "r2"),
    ],
)
def test_metrics_that_fit_an_output(head: Head, targets: np.ndarray, is_labelled: bool, name: str) -> None:
    """Too few rare decisions for F1 to be more than noise are counted as before."""
    assert fitting_metric(head, targets.astype(np.int64), is_labelled).name == name


def test_outputs_within_a_step_of_int8_hardly_vary() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(50, 4))
    assert hardly_varies(0.5 + 1e-4 * noise) and hardly_varies(np.full((5, 2), 3.0))
    assert not hardly_varies(noise) and not hardly_varies(0.5 + 0.01 * noise)


def test_closeness_is_relative_to_the_largest_value() -> None:
    targets = np.full((10, 2), 0.5)
    assert closeness(targets, targets) == 1
    assert closeness(targets, targets + 0.005) == pytest.approx(0.99)
    assert closeness(0 * targets, 0 * targets) == 1 and closeness(0 * targets, targets) == 0

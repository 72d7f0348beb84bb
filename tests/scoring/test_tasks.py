from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from tests.narrow import present
from tflite_compress.scoring.additive_scores import AdditiveScore
from tflite_compress.scoring.choose_task import check_metric, choose_meaning, tasks_of_outputs
from tflite_compress.scoring.metrics import Head, infer_head
from tflite_compress.scoring.task_registry import all_tasks, find_task, infer_task, metric_of_task
from tflite_compress.scoring.task_types import OutputSample
from tflite_compress.scoring.tasks.sequence import edit_distance, read_best
from tflite_compress.support.errors import DataError, UsageError

RNG = np.random.default_rng(0)
VALUES = Head("regression", False)
PROBABILITIES = RNG.dirichlet(np.ones(4), 60)
CLASSES = RNG.integers(0, 4, 60)
LABELS = (RNG.random((60, 3)) < 0.3).astype(np.int64)
SHARES = np.round(RNG.random((60, 3)), 1)  # many equal scores


def score(task: str, metric: str, targets: np.ndarray, predictions: np.ndarray) -> float:
    head = Head("binary" if task == "multi-label" else "regression", False)
    return metric_of_task(find_task(task), head, metric).function(targets, predictions)


def sample(output: np.ndarray, labels: np.ndarray | None, inputs: np.ndarray | None = None) -> OutputSample:
    given = np.zeros((len(output), 2)) if inputs is None else inputs
    return OutputSample(output, labels, given, infer_head(output, labels, None))


def test_classification_scores_are_those_of_scikit_learn() -> None:
    found = PROBABILITIES.argmax(axis=1)
    scores = {
        "balanced_accuracy": sk.balanced_accuracy_score(CLASSES, found),
        "macro_f1": sk.f1_score(CLASSES, found, average="macro"),
        "worst_class_accuracy": sk.recall_score(CLASSES, found, average=None).min(),
    }
    for name, expected in scores.items():
        assert score("classification", name, CLASSES, PROBABILITIES) == pytest.approx(expected)


def test_multi_label_scores_are_those_of_scikit_learn() -> None:
    expected = sk.average_precision_score(LABELS, SHARES, average="macro")
    assert score("multi-label", "map", LABELS, SHARES) == pytest.approx(expected)
    expected = sk.f1_score(LABELS, SHARES >= 0.5, average="macro")
    assert score("multi-label", "label_f1", LABELS, SHARES) == pytest.approx(expected)


def test_f1_of_logits_has_its_threshold_at_zero() -> None:
    logits = Head("binary", True)
    for name in ("f1", "label_f1", "binary_accuracy"):
        metric = metric_of_task(find_task("multi-label"), logits, name)
        assert metric.function(np.array([[1], [0], [0]]), np.array([[0.2], [-3.0], [-1.0]])) == 1


def test_rmse_is_that_of_scikit_learn() -> None:
    y, p = RNG.normal(size=(2, 30, 1))
    assert score("regression", "rmse", y[:, 0], p) == pytest.approx(sk.root_mean_squared_error(y, p))


def test_segmentation_scores_are_those_of_scikit_learn_without_ignored_pixels() -> None:
    output, labels = RNG.random((5, 6, 7, 3)), RNG.integers(-1, 3, (5, 6, 7))
    wanted, found = labels[labels >= 0], output.argmax(axis=-1)[labels >= 0]
    iou = sk.jaccard_score(wanted, found, average="macro")
    assert score("segmentation", "mean_iou", labels, output) == pytest.approx(iou)
    dice = sk.f1_score(wanted, found, average="macro")
    assert score("segmentation", "dice", labels, output) == pytest.approx(dice)
    accuracy = sk.accuracy_score(wanted, found)
    assert score("segmentation", "pixel_accuracy", labels, output) == pytest.approx(accuracy)


def test_areas_of_a_reconstruction_error_are_those_of_scikit_learn() -> None:
    x, y = RNG.normal(size=(80, 4)), RNG.integers(0, 2, 80)
    output = x + RNG.normal(size=x.shape) * (0.5 + y[:, np.newaxis])
    targets = find_task("anomaly-detection").make_targets(y, x)
    error = np.mean((x - output) ** 2, axis=1)
    assert score("anomaly-detection", "auc", targets, output) == pytest.approx(sk.roc_auc_score(y, error))
    expected = sk.roc_auc_score(y, error, max_fpr=0.1)
    assert score("anomaly-detection", "pauc", targets, output) == pytest.approx(expected)
    coarse = np.asarray(np.round(error))[:, np.newaxis]  # equal scores
    assert score("anomaly-detection", "pauc", targets, coarse) == pytest.approx(
        sk.roc_auc_score(y, coarse[:, 0], max_fpr=0.1)
    )


def test_pck_counts_visible_points_near_their_targets() -> None:
    targets = np.array([[[0.0, 0, 1], [3, 4, 1], [9, 9, 0]]])
    found = np.array([[[0.9, 0, 1], [3, 5.1, 1], [0, 0, 1]]])
    assert score("key-points", "pck", targets, found) == 0.5  # the diagonal is 5, a fifth of it 1


def test_oks_falls_with_the_distance_as_in_coco() -> None:
    targets = np.array([[0.0, 0, 3, 4]])
    found = np.array([[0.5, 0, 3, 4]])
    expected = (np.exp(-(0.5**2) / (2 * 12.5 * 0.1**2)) + 1) / 2
    assert score("key-points", "oks", targets, found) == pytest.approx(expected)


def test_recall_at_1_looks_among_other_samples() -> None:
    vectors = np.array([[1, 0.0], [0.9, 0.1], [0, 1], [0.1, 0.9], [1, -1]])
    assert score("embeddings", "recall_at_1", np.array([0, 0, 1, 2, 3]), vectors) == 1.0
    assert score("embeddings", "recall_at_1", np.array([0, 1, 1, 0, 3]), vectors) == 0.0


def test_equal_error_rate_is_where_both_errors_are_equal() -> None:
    vectors, names = RNG.normal(size=(40, 6)), RNG.integers(0, 5, 40)
    vectors[:, :5] += np.eye(5)[names]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    upper = np.triu_indices(40, 1)
    same, near = (names[:, np.newaxis] == names)[upper], (unit @ unit.T)[upper]
    fpr, tpr, _ = sk.roc_curve(same, near, drop_intermediate=False)
    expected = np.interp(0, fpr - (1 - tpr), fpr)
    assert score("embeddings", "eer", names, vectors) == pytest.approx(expected)


def test_sequences_are_read_without_repeats_and_blanks() -> None:
    assert edit_distance([*b"kitten"], [*b"sitting"]) == 3
    assert read_best([1, 1, 3, 1, 2, 3], 3) == [1, 1, 2]
    steps = np.eye(4)[[[1, 1, 3, 1, 2, 3], [0, 3, 3, 3, 3, 3]]]
    labels = np.array([[1, 1, 2], [2, 0, 3]])
    assert score("sequence", "label_error_rate", labels, steps) == pytest.approx(1 / 5)
    assert score("sequence", "sequence_accuracy", labels, steps) == 0.5


def test_resamples_of_additive_scores_are_those_of_their_samples() -> None:
    counts = np.ones((2, 60))
    counts[1, 30:] = 0
    for metric in find_task("classification").metrics(VALUES):
        if isinstance(metric.function, AdditiveScore):
            whole, half = metric.function.resampled(CLASSES, PROBABILITIES)(counts)
            assert whole == pytest.approx(metric.function(CLASSES, PROBABILITIES))
            assert half == pytest.approx(metric.function(CLASSES[:30], PROBABILITIES[:30]))


@pytest.mark.parametrize("task", all_tasks())
def test_every_task_has_metrics_with_a_meaning_and_a_range(task: str) -> None:
    for metric in find_task(task).metrics(VALUES):
        assert metric.meaning and (metric.lowest == 0 or metric.highest == 1)


def test_tasks_are_inferred_where_shapes_allow_one_only() -> None:
    x, maps = RNG.normal(size=(8, 6)), RNG.random((8, 4, 4, 3))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    ones, steps = np.arange(8) % 2, RNG.dirichlet(np.ones(5), (8, 9))
    cases = {
        "segmentation": sample(maps, np.zeros((8, 4, 4), np.int64)),
        "anomaly-detection": sample(x + 0.1, ones, x),
        "embeddings": sample(unit, ones),
        "sequence": sample(steps, np.zeros((8, 3), np.int64)),
    }
    assert {name: present(infer_task(given)).name for name, given in cases.items()} == {n: n for n in cases}
    assert infer_task(sample(PROBABILITIES, CLASSES)) is None
    assert infer_task(sample(x, None, x)) is None


def test_a_task_that_does_not_fit_names_the_shapes() -> None:
    with pytest.raises(DataError, match=r"segmentation does not fit an output of shape \(60, 4\)") as error:
        choose_meaning(sample(PROBABILITIES, CLASSES), find_task("segmentation"), None)
    assert "Leave --task out" in str(error.value.hint)


def test_a_metric_chooses_its_task_and_needs_labels() -> None:
    x = RNG.normal(size=(8, 6))
    meaning = choose_meaning(sample(x, np.arange(8) % 2, x), None, "pauc")
    assert present(meaning.task).name == "anomaly-detection" and meaning.metric.name == "pauc"
    with pytest.raises(UsageError, match="metric=pauc needs labels"):
        choose_meaning(sample(x, None, x), None, "pauc")
    unlabelled = choose_meaning(sample(x, None, x), find_task("anomaly-detection"), None)
    assert unlabelled.metric.name == "r2"


def test_names_of_tasks_and_metrics_are_checked_first() -> None:
    with pytest.raises(UsageError, match=r"no such task\. Did you mean 'segmentation'"):
        find_task("segmentaton")
    with pytest.raises(UsageError, match="--task=regression has no such metric"):
        check_metric("top1", "regression")
    with pytest.raises(UsageError, match=r"--metric=mean_io: unknown\. Did you mean 'mean_iou'"):
        check_metric("mean_io", None)
    with pytest.raises(UsageError, match="names 2 tasks for a model with 3 output"):
        tasks_of_outputs("classification,regression", 3)
    assert [present(t).name for t in tasks_of_outputs("multi_label", 2)] == ["multi-label", "multi-label"]

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tflite_compress.data.samples import Samples
from tflite_compress.data.split import Splits
from tflite_compress.models.network import Network, TensorSpec
from tflite_compress.scoring.choose_task import choose_meaning
from tflite_compress.scoring.metrics import Head
from tflite_compress.scoring.reference import Reference, distance, make_reference
from tflite_compress.scoring.task_types import OutputSample
from tflite_compress.support.errors import UsageError


class Maps(Network):
    """A network that returns its inputs as outputs: three sparse maps of probabilities."""

    def predict(
        self, arrays: tuple[np.ndarray, ...], batch_size: int | None = None
    ) -> tuple[np.ndarray, ...]:
        return arrays


def sparse_maps(share: float = 0.01) -> tuple[np.ndarray, ...]:
    """Maps of 12 samples, 40 x 25 positions each, of which a share is set."""
    rng = np.random.default_rng(0)
    maps = [rng.uniform(0, 0.1, (12, 40, 25)) + 0.8 * (rng.random((12, 40, 25)) < share) for _ in range(3)]
    return tuple(each.astype(np.float32) for each in maps)


def map_reference(labels: tuple[np.ndarray, ...] | None = None) -> Reference:
    arrays = sparse_maps()
    samples = Samples(arrays, labels, "s")
    ports = tuple(TensorSpec(name, (None, 40, 25), "float32") for name in ("contour", "note", "onset"))
    return make_reference(
        Maps("maps", None, ports, ports), Splits(samples, samples, samples), None, None, None
    )


class Doubling(Network):
    """A network that doubles its input; no TensorFlow needed."""

    def predict(
        self, arrays: tuple[np.ndarray, ...], batch_size: int | None = None
    ) -> tuple[np.ndarray, ...]:
        return (2 * arrays[0],)


def doubling(labels: np.ndarray | None) -> tuple[Network, Splits]:
    x = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    samples = Samples((x,), None if labels is None else (labels,), "s")
    port = TensorSpec("x", (None, 3), "float32")
    return Doubling("net", None, (port,), (port,)), Splits(samples, samples, samples)


def test_distance_of_equal_and_of_noisy_outputs() -> None:
    x = np.random.default_rng(0).standard_normal((100, 4))
    assert distance((x,), (x,)) == {"max_abs": 0, "mean_abs": 0, "cosine": pytest.approx(1), "snr_db": 999}
    noisy = distance((x,), (1.1 * x,))
    assert noisy["snr_db"] == pytest.approx(20) and noisy["cosine"] == pytest.approx(1)


def test_scores_against_labels() -> None:
    network, splits = doubling(np.arange(20) % 3)
    reference = make_reference(network, splits, None, None, None)
    wanted = np.mean(splits.evaluate.inputs[0].argmax(axis=1) == np.arange(20) % 3)
    assert reference.labelled and reference.score.value == pytest.approx(wanted)
    assert reference.metric_name == "top1"


def test_without_labels_the_original_agrees_with_itself() -> None:
    reference = make_reference(*doubling(None), "categorical_crossentropy", None, None)
    assert reference.score.value == 1.0 and "agreement" in reference.metric_name
    flipped = (-reference.evaluation_outputs[0],)
    assert reference.score_of(flipped).value < 0.5


def test_an_error_metric_without_labels_becomes_r2() -> None:
    reference = make_reference(*doubling(None), "mse", "mae", None)
    assert reference.metrics[0].name == "r2" and reference.score.value == 1.0


def test_agreement_of_outputs_that_hardly_vary_is_not_judged_by_r2() -> None:
    head = Head("regression", False)
    for spread, name in ((1e-4, "closeness"), (0.1, "r2")):
        output = 0.5 + spread * np.random.default_rng(0).normal(size=(64, 1))
        sample = OutputSample(output, None, output, head)
        assert choose_meaning(sample, None, None).metric.name == name
        assert choose_meaning(sample, None, "r2").metric.name == "r2"


def test_functions_are_accepted_as_metric_and_loss() -> None:
    def largest_error(targets: np.ndarray, predictions: np.ndarray) -> float:
        return float(np.max(np.abs(targets - predictions)))

    network, splits = doubling(np.zeros((20, 3)))
    reference = make_reference(network, splits, None, largest_error, largest_error)
    assert reference.score.value == pytest.approx(np.abs(reference.evaluation_outputs[0]).max())
    assert reference.loss is largest_error and "largest_error" in reference.metric_name
    with pytest.raises(UsageError, match="largest_error needs labels"):
        make_reference(*doubling(None), None, largest_error, None)


def test_a_users_metric_needs_labels() -> None:
    with pytest.raises(UsageError, match="needs labels"):
        make_reference(*doubling(None), None, "os.path:join", None)


def test_the_worst_of_several_outputs_decides() -> None:
    """Three sparse maps of probabilities, one of which is lost: a mean of agreeing decisions says 99.7 %."""
    reference = map_reference()
    contour, note, onset = reference.evaluation_outputs
    broken = (contour, note, np.random.default_rng(1).permutation(onset.reshape(-1)).reshape(onset.shape))
    agreeing = np.mean(
        [np.mean((a >= 0.5) == (b >= 0.5)) for a, b in zip(broken, (contour, note, onset), strict=True)]
    )
    assert agreeing > 0.99
    score = reference.score_of(broken)
    assert reference.worst_of(score) == 2 and reference.drop_of(score) > 0.9
    assert (
        reference.drops_of(score)[:2] == (0, 0) and reference.metric_of(2) == "r2 agreement with the original"
    )
    rounded = tuple(np.rint(y * 255) / 255 for y in reference.evaluation_outputs)
    assert reference.drop_of(reference.score_of(rounded)) < 0.001


def test_an_empty_map_is_not_an_equal_map() -> None:
    reference = map_reference()
    empty = tuple(np.full_like(y, 0.05) for y in reference.evaluation_outputs)
    assert reference.drop_of(reference.score_of(empty)) > 0.9


def test_labelled_sparse_maps_are_scored_by_their_rare_decision() -> None:
    labels = tuple((y >= 0.5).astype(np.float32) for y in sparse_maps())
    reference = map_reference(labels)
    assert [m.name for m in reference.metrics] == ["f1", "f1", "f1"] and reference.score.value == 1
    missed = (*reference.evaluation_outputs[:2], np.zeros_like(labels[2]))
    assert reference.drop_of(reference.score_of(missed)) == 1


def test_the_distance_is_that_of_the_worst_output() -> None:
    rng = np.random.default_rng(0)
    large, small = 100 * rng.standard_normal((50, 8)), rng.standard_normal((50, 2))
    found = distance((large, small), (large, -small))
    assert found["cosine"] == pytest.approx(-1) and found["snr_db"] == pytest.approx(-6.02, abs=0.01)
    nothing = np.zeros((4, 2))
    assert distance((nothing,), (nothing + 1,))["snr_db"] == -999
    assert distance((nothing,), (nothing,))["cosine"] == 1


def test_calibration_samples_without_anomalies_are_compared_with_the_original() -> None:
    network, splits = doubling(None)
    x = splits.evaluate.inputs
    labels = (np.arange(len(splits.evaluate)) % 2,)
    some = replace(splits.evaluate, labels=labels)
    none = replace(splits.calibrate, labels=(np.zeros(len(splits.calibrate), np.int64),))
    reference = make_reference(
        network, Splits(splits.train, none, some), None, "auc", None, "anomaly-detection"
    )
    assert reference.metrics[0].name == "auc" and reference.targets[0].shape == (len(some), 1 + x[0][0].size)
    assert reference.on_calibration.score.value == 1 and reference.on_calibration.metrics[0].name == "r2"


class Detecting(Network):
    """A network that returns its image as boxes and scores of YOLO v8, in two outputs."""

    def predict(
        self, arrays: tuple[np.ndarray, ...], batch_size: int | None = None
    ) -> tuple[np.ndarray, ...]:
        return arrays[0][:, 0, :, :4], arrays[0][:, 0, :, 4:]


def detecting(labels: tuple[np.ndarray, ...] | None) -> tuple[Network, Splits]:
    x = np.zeros((8, 2, 9, 6), np.float32)
    x[:, 0, 0] = 0.5, 0.5, 0.4, 0.4, 0.9, 0
    x[:4, 0, 1] = 0.2, 0.2, 0.4, 0.2, 0, 0.8
    samples = Samples((x,), labels, "s", has_boxes=labels is not None)
    ports = [TensorSpec(n, (None, 9, c), "float32") for n, c in (("boxes", 4), ("scores", 2))]
    network = Detecting("detector", None, (TensorSpec("x", (None, 2, 9, 6), "float32"),), tuple(ports))
    return network, Splits(samples, samples, samples)


def test_a_detector_is_scored_by_all_outputs_together() -> None:
    boxes = np.zeros((8, 2, 5), np.float32)
    boxes[:, 0] = 0, 0.3, 0.3, 0.7, 0.7
    boxes[:, 1] = 1, 0, 0.1, 0.4, 0.3
    reference = make_reference(*detecting((boxes,)), None, None, None)
    assert reference.scored_names == ("detections",) and reference.metric_name == "coco_map"
    # All four objects of the second class that are found are right, four of eight are not found.
    assert reference.score.by_output == pytest.approx([(1 + 51 / 101) / 2])
    without = (reference.evaluation_outputs[0], 0 * reference.evaluation_outputs[1])
    assert reference.drop_of(reference.score_of(without)) == reference.score.value
    assert reference.output_labels(reference.splits.train) == (None, None)
    assert [head.task for head in reference.heads] == ["regression", "regression"]


def test_a_detector_without_labels_is_compared_with_its_own_detections() -> None:
    for named in ({"task": "object-detection"}, {"metric": "coco_map"}):
        settings = {"metric": None, "task": None} | named
        reference = make_reference(*detecting(None), None, settings["metric"], None, settings["task"])
        assert reference.metric_name == "coco_map agreement with the original"
        assert reference.score.value == pytest.approx(1)


def test_object_detection_is_no_task_of_one_output() -> None:
    with pytest.raises(UsageError, match="scores all outputs together"):
        make_reference(*detecting(None), None, None, None, "object-detection,regression")
    with pytest.raises(UsageError, match="--metric=top1: --task=object-detection has no such metric"):
        make_reference(*detecting(None), None, "top1", None, "object-detection")

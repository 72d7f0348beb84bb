from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.data.samples import Samples
from tflite_compress.data.split import Splits
from tflite_compress.models.network import Network, TensorSpec
from tflite_compress.scoring.reference import distance, make_reference
from tflite_compress.support.errors import UsageError


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

"""Agreement by sample, and the paired test of two files."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_compress.scoring.agreement import compare_agreement, probabilities, sample_agreement
from tflite_compress.scoring.metrics import Head

CLASSES, BINARY, VALUES = Head("classification", False), Head("binary", False), Head("regression", False)


def test_agreement_of_classes_is_the_probability_in_common() -> None:
    a = np.array([[0.7, 0.3, 0.0], [0.2, 0.2, 0.6]])
    b = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
    assert sample_agreement(CLASSES, a, b) == pytest.approx([0.8, 1.0])
    pixels = sample_agreement(CLASSES, np.stack([a, a]), np.stack([b, a]))
    assert pixels == pytest.approx([0.9, 1.0])


def test_agreement_of_logits_is_that_of_their_probabilities() -> None:
    logits = Head("classification", True)
    a, b = np.array([[2.0, 0.0]]), np.array([[5.0, 3.0]])
    assert sample_agreement(logits, a, b) == pytest.approx([1.0], abs=1e-6)
    assert probabilities(Head("binary", True), np.zeros((1, 1))) == pytest.approx(0.5)


def test_agreement_of_values_counts_squared_errors_in_variances() -> None:
    a = np.array([[0.0], [2.0]])
    assert sample_agreement(VALUES, a, a + 1) == pytest.approx([0.0, 0.0])
    assert sample_agreement(VALUES, np.full((2, 1), 3.0), np.full((2, 1), 3.0)) == pytest.approx([1.0, 1.0])
    assert sample_agreement(BINARY, np.array([[0.9]]), np.array([[0.4]])) == pytest.approx([0.5])


def test_a_gain_is_significant_only_beyond_the_noise_of_the_samples() -> None:
    rng = np.random.default_rng(0)
    before = rng.uniform(0.9, 1, 200)
    noise = rng.normal(0, 0.01, 200)
    assert compare_agreement(before, before + noise + 0.005, 3).is_significant
    assert not compare_agreement(before, before + noise - noise.mean(), 3).is_significant
    assert not compare_agreement(before[:5], before[:5] + 0.1, 1).is_significant

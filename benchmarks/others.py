"""Other tools on the networks of small_data.py and low_bits.py, and the drop of any file."""

from __future__ import annotations

from pathlib import Path

import jobs
import numpy as np


def calibration(x: np.ndarray, seed: int) -> np.ndarray:
    """The samples that a tool calibrates with, shape (jobs.CALIBRATION, ...)."""
    return x[np.random.default_rng(seed).permutation(len(x))[: jobs.CALIBRATION]]


def converted(model: Path, x: np.ndarray, seed: int) -> bytes:
    """TFLiteConverter's int8."""
    return jobs.converted(jobs.bridged(model), calibration(x, seed), True)


def quantized(model: Path, x: np.ndarray, seed: int, bits: int = 8) -> bytes:
    """litert-quantizer's static int8, with weights of 8 or 4 bits."""
    return jobs.by_quantizer(model, calibration(x, seed), bits)


def pruned(model: Path, x: np.ndarray, y: np.ndarray, sparsity: float, epochs: int, seed: int) -> bytes:
    """TF-MOT's pruning as its tutorial shows, then TFLiteConverter's int8."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    network = jobs.pruned(jobs.bridged(model), x, y, sparsity, epochs)
    return jobs.converted(network, calibration(x, seed), True)


def float_outputs(model: Path, x: np.ndarray) -> np.ndarray:
    """Outputs of the trained network, shape (samples, classes)."""
    import keras

    found: np.ndarray = keras.models.load_model(model).predict(x, batch_size=256, verbose=0)
    return found


def drop_in_points(
    before: np.ndarray, after: np.ndarray, x: np.ndarray, labels: np.ndarray
) -> tuple[float, float, float]:
    """Points of top-1 lost on images x, and the ends of the 95 % interval, paired by sample."""
    from tflite_compress.scoring.drop_evidence import DropRule, compare_outputs
    from tflite_compress.scoring.metrics import infer_head
    from tflite_compress.scoring.task_registry import find_task
    from tflite_compress.scoring.task_types import OutputSample

    task = find_task("classification")
    head = task.checked_head(OutputSample(before, labels, x, infer_head(before, labels, None)))
    metric = task.metrics(head)[0]
    targets = task.make_targets(labels, x)
    evidence = compare_outputs(metric, targets, before, after, DropRule(0.01))
    drop = metric.drop(*(float(metric.function(targets, values)) for values in (before, after)))
    interval = evidence.drop_interval
    low, high = (interval.low, interval.high) if interval else (float("nan"), float("nan"))
    return 100 * drop, 100 * low, 100 * high

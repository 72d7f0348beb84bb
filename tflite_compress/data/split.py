"""Splitting data so that evaluation samples never calibrate or train."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.data.samples import Samples
from tflite_compress.support.errors import DataError

EVALUATION_SHARE = 0.25
MAX_CALIBRATION_SAMPLES = 256


@dataclass(frozen=True)
class Splits:
    """The three roles data plays.

    Attributes:
        train: For fine-tuning.
        calibrate: The representative dataset for quantization, and BatchNorm re-estimation.
        evaluate: For accuracy; disjoint from both.
    """

    train: Samples
    calibrate: Samples
    evaluate: Samples


def split(samples: Samples, seed: int, share: float = EVALUATION_SHARE) -> Splits:
    """Split one source, stratified by class where there are classes.

    Args:
        samples: All samples, at least two.
        seed: Equal seeds give equal splits.
        share: Share of the samples kept for evaluation.

    Raises:
        DataError: Fewer than two samples.
    """
    if len(samples) < 2:
        raise DataError(
            f"{samples.origin}: {len(samples)} sample cannot be split into training and evaluation",
            "Give more samples, or separate sources with --train, --calibrate and --eval.",
        )
    evaluation = _stratified(samples, share, seed)
    rest = np.setdiff1d(np.arange(len(samples)), evaluation)
    train = samples.take(rest)
    return Splits(train, calibration_subset(train, seed), samples.take(evaluation))


def calibration_subset(train: Samples, seed: int, most: int = MAX_CALIBRATION_SAMPLES) -> Samples:
    """A stratified subset of the training samples small enough to calibrate with."""
    if len(train) <= most:
        return train
    chosen = _stratified(train, most / len(train), seed + 1)[:most]
    return train.take(np.sort(chosen))


def from_sources(train: Samples | None, calibrate: Samples | None, evaluate: Samples, seed: int) -> Splits:
    """Use separately given sources; a missing one of the first two stands in for the other."""
    base = train if train is not None else calibrate
    assert base is not None  # evaluation data alone is handled before
    chosen = calibrate if calibrate is not None else calibration_subset(base, seed)
    return Splits(base, chosen, replace(evaluate, class_names=evaluate.class_names or base.class_names))


def _stratified(samples: Samples, share: float, seed: int) -> np.ndarray:
    """Sorted indices of a seeded sample with about ``share`` of each class, at least one in all."""
    rng = np.random.default_rng(seed)
    count = len(samples)
    groups = _class_numbers(samples)
    chosen: list[np.ndarray] = []
    for value in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == value))
        wanted = int(len(members) * share + rng.random())  # rounds at random, so small classes count too
        chosen.append(members[:wanted])
    indices = np.concatenate(chosen)
    if not 0 < len(indices) < count:
        indices = rng.permutation(count)[: min(max(1, round(count * share)), count - 1)]
    return np.sort(indices)


def _class_numbers(samples: Samples) -> np.ndarray:
    """One class number a sample: labels, the argmax of one-hot rows, or all zero."""
    none = np.zeros(len(samples), dtype=np.int64)
    if samples.labels is None:
        return none
    labels = samples.labels[0]
    if labels.ndim == 1 and labels.dtype.kind in "iub":
        return labels.astype(np.int64)
    if labels.ndim == 2 and labels.shape[1] > 1 and np.all((labels == 0) | (labels == 1)):
        return np.asarray(labels.argmax(axis=1))
    return none

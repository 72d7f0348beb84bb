"""Split data so that no evaluation sample is used for calibration or training."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from tflite_compress.data.samples import Samples
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

EVALUATION_SHARE = 0.25
MAX_CALIBRATION_SAMPLES = 256


@dataclass(frozen=True)
class Splits:
    """Samples by use.

    Attributes:
        train: Samples for fine-tuning.
        calibrate: Representative samples for quantization and BatchNorm re-estimation.
        evaluate: Samples for accuracy, in neither of the other two.
        unlabelled: More samples for fine-tuning, without labels; None without any.
    """

    train: Samples
    calibrate: Samples
    evaluate: Samples
    unlabelled: Samples | None = None

    @functools.cached_property
    def learned_inputs(self) -> tuple[np.ndarray, ...]:
        """Inputs of all samples for fine-tuning: those for training, then the unlabelled ones."""
        if self.unlabelled is None:
            return self.train.inputs
        pairs = zip(self.train.inputs, self.unlabelled.inputs, strict=True)
        return tuple(np.concatenate(pair) for pair in pairs)

    @property
    def learned_samples(self) -> int:
        """Number of samples for fine-tuning."""
        return len(self.train) + (0 if self.unlabelled is None else len(self.unlabelled))


def split(samples: Samples, seed: int, share: float = EVALUATION_SHARE) -> Splits:
    """Split one source, stratified by class if the labels are classes.

    Samples of time series are split so that no row is in both parts; see :func:`_split_in_time`.

    Args:
        samples: All samples, at least two.
        seed: Seed of the split; equal seeds give equal splits.
        share: Fraction of the samples used for evaluation.

    Raises:
        DataError: There are fewer than two samples.
    """
    if len(samples) < 2:
        raise DataError(
            f"{samples.origin}: {len(samples)} sample cannot be split into training and evaluation",
            "Give more samples, or separate sources for training and evaluation.",
        )
    if samples.spans is not None:
        return _split_in_time(samples, samples.spans, seed, share)
    evaluation = _stratified(samples, share, seed)
    rest = np.setdiff1d(np.arange(len(samples)), evaluation)
    train = samples.take(rest)
    return Splits(train, calibration_subset(train, seed), samples.take(evaluation))


def _split_in_time(samples: Samples, spans: np.ndarray, seed: int, share: float) -> Splits:
    """Split windows of time series so that no training window has a row of an evaluation window.

    Of each class, the last windows are for evaluation, with the recordings in random order: those of whole
    recordings, and the end of one more. Windows that overlap them are left out. Where that would leave out
    most, because the classes alternate quickly, classes do not count.

    Raises:
        DataError: No window is left for training.
    """
    rng = np.random.default_rng(seed)
    recordings = np.unique(spans[:, 0])
    place = rng.permutation(len(recordings))[np.searchsorted(recordings, spans[:, 0])]
    order = np.lexsort((spans[:, 1], place))
    of_each_class = True
    chosen = _last_of_each(_class_numbers(samples), order, share, rng)
    rest = _apart(spans, chosen)
    if len(rest) < (len(samples) - len(chosen)) / 2:
        of_each_class = False
        chosen = np.sort(order[-min(max(1, round(len(samples) * share)), len(samples) - 1) :])
        rest = _apart(spans, chosen)
    if not len(rest):
        raise DataError(
            f"{samples.origin}: no window for training is left that shares no rows with those for evaluation",
            "Give longer recordings, or separate sources with --train and --eval.",
        )
    left_out = len(samples) - len(chosen) - len(rest)
    text = (
        f"training ({len(rest):,} samples) and evaluation ({len(chosen):,}) share no rows: evaluation takes "
        f"whole recordings and the end of one{', of each class' if of_each_class else ''}"
    )
    text += f"; {left_out:,} windows across the border are left out" if left_out else ""
    train, evaluate = samples.take(rest), samples.take(chosen)
    evaluate = replace(evaluate, notes=(*evaluate.notes, Note("split-in-time", text)))
    return Splits(train, calibration_subset(train, seed), evaluate)


def _last_of_each(
    classes: np.ndarray, order: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Return sorted indices of the last ``share`` of each class in an order, at least one in total."""
    groups = classes[order]
    chosen = []
    for value in np.unique(groups):
        members = order[groups == value]
        wanted = int(len(members) * share + rng.random())  # random rounding represents small classes
        chosen.append(members[len(members) - wanted :])
    indices = np.concatenate(chosen)
    return np.sort(indices if 0 < len(indices) < len(order) else order[-1:])


def _apart(spans: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the indices of the windows that have no row of a chosen window."""
    taken = np.zeros(int(spans[:, 2].max()) + 1, np.int64)
    for _, start, end in spans[chosen]:
        taken[start:end] = 1
    before = np.concatenate([[0], np.cumsum(taken)])
    return np.flatnonzero(before[spans[:, 2]] == before[spans[:, 1]])


def calibration_subset(train: Samples, seed: int, max_samples: int = MAX_CALIBRATION_SAMPLES) -> Samples:
    """Return a stratified subset of the training samples for calibration.

    Args:
        train: The training samples.
        seed: Seed of the choice.
        max_samples: Maximum size of the subset.
    """
    if len(train) <= max_samples:
        return train
    chosen = _stratified(train, max_samples / len(train), seed + 1)[:max_samples]
    return train.take(np.sort(chosen))


def from_sources(train: Samples | None, calibrate: Samples | None, evaluate: Samples, seed: int) -> Splits:
    """Combine separate sources. Without training samples, calibration samples replace them, and vice versa.

    Args:
        train: Samples for fine-tuning, or None.
        calibrate: Samples for calibration, or None.
        evaluate: Samples for accuracy.
        seed: Seed of the choice of calibration samples.

    Raises:
        DataError: The sources name other classes, so that a class has two numbers.
    """
    base = train if train is not None else calibrate
    assert base is not None  # evaluation data alone is handled before
    if base.class_names and evaluate.class_names and base.class_names != evaluate.class_names:
        raise _other_classes(base, evaluate)
    chosen = calibrate if calibrate is not None else calibration_subset(base, seed)
    return Splits(base, chosen, replace(evaluate, class_names=evaluate.class_names or base.class_names))


def _other_classes(base: Samples, evaluate: Samples) -> DataError:
    pairs = zip_longest(base.class_names, evaluate.class_names, fillvalue="missing")
    number, (one, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
    return DataError(
        f"class {number} is {one} in {base.origin} and {other} in {evaluate.origin}",
        "Give both the same classes, by folders, by classes.txt or by --classes.",
    )


def _stratified(samples: Samples, share: float, seed: int) -> np.ndarray:
    """Return sorted indices of about ``share`` of each class, at least one in total."""
    rng = np.random.default_rng(seed)
    count = len(samples)
    groups = _class_numbers(samples)
    chosen: list[np.ndarray] = []
    for value in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == value))
        wanted = int(len(members) * share + rng.random())  # random rounding represents small classes
        chosen.append(members[:wanted])
    indices = np.concatenate(chosen)
    if not 0 < len(indices) < count:
        indices = rng.permutation(count)[: min(max(1, round(count * share)), count - 1)]
    return np.sort(indices)


def _class_numbers(samples: Samples) -> np.ndarray:
    """Return one class number per sample: the label, the argmax of a one-hot row, or 0."""
    none = np.zeros(len(samples), dtype=np.int64)
    if samples.labels is None:
        return none
    labels = samples.labels[0]
    if labels.ndim == 1 and labels.dtype.kind in "iub":
        return labels.astype(np.int64)
    if labels.ndim == 2 and labels.shape[1] > 1 and np.all((labels == 0) | (labels == 1)):
        return np.asarray(labels.argmax(axis=1))
    return none

"""Evaluation samples that also occur in calibration or training data."""

from __future__ import annotations

from dataclasses import dataclass

from tflite_compress.data.split import Splits


@dataclass(frozen=True)
class Overlap:
    """Evaluation samples whose inputs also occur elsewhere.

    Attributes:
        samples: Number of evaluation samples.
        in_training: How many of them occur in the training data.
        in_calibration: How many of them occur in the calibration data.
    """

    samples: int
    in_training: int
    in_calibration: int


def find_overlap(splits: Splits) -> Overlap:
    """Count evaluation samples whose inputs equal those of a training or calibration sample, byte by byte.

    Args:
        splits: The data.
    """
    evaluation = splits.evaluate.input_digests
    unlabelled = () if splits.unlabelled is None else splits.unlabelled.input_digests
    in_training, in_calibration = (
        sum(digest in known for digest in evaluation)
        for known in ({*splits.train.input_digests, *unlabelled}, set(splits.calibrate.input_digests))
    )
    return Overlap(len(evaluation), in_training, in_calibration)

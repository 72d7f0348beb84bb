"""Evaluation samples that also occur in calibration or training data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tflite_compress.data.samples import Samples
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

    Samples are read one at a time, so that data larger than the memory can be compared.

    Args:
        splits: The data.
    """
    evaluation = list(_digests(splits.evaluate))
    in_training = _count(evaluation, splits.train)
    is_same = splits.calibrate is splits.train
    return Overlap(
        len(evaluation), in_training, in_training if is_same else _count(evaluation, splits.calibrate)
    )


def _count(evaluation: list[bytes], samples: Samples) -> int:
    known = set(_digests(samples))
    return sum(digest in known for digest in evaluation)


def _digests(samples: Samples) -> Iterator[bytes]:
    """Yield a hash of each sample's inputs."""
    for index in range(len(samples)):
        digest = hashlib.blake2b(digest_size=16)
        for array in samples.inputs:
            digest.update(np.ascontiguousarray(array[index]).tobytes())
        yield digest.digest()

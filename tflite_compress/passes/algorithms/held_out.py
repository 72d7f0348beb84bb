"""Training samples divided into those that a pass learns from and those that judge it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tflite_compress.data.samples import Samples
from tflite_compress.passes.base import Context

MAX_JUDGED = 512
JUDGED_SHARE = 0.3  # of the training samples


def learning_and_judging(context: Context, max_learned: int) -> tuple[Context, Context]:
    """Return two contexts whose calibration samples are for learning and for judging; none is in both.

    Args:
        context: Training samples and seed.
        max_learned: Maximum number of samples for learning.
    """
    train = context.reference.splits.train
    order = np.random.default_rng((context.seed, 2)).permutation(len(train))
    count = min(MAX_JUDGED, int(np.ceil(JUDGED_SHARE * len(train))))
    others = order[count:][:max_learned]
    if not len(others):
        others = order
    learning, judging = (train.take(np.sort(chosen)) for chosen in (others, order[:count]))
    return _calibrated_by(context, learning), _calibrated_by(context, judging)


def _calibrated_by(context: Context, samples: Samples) -> Context:
    splits = replace(context.reference.splits, calibrate=samples)
    return replace(context, reference=replace(context.reference, splits=splits))

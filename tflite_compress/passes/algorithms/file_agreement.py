"""Compare several quantized files with the float network, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.scoring.agreement import sample_agreement

if TYPE_CHECKING:
    from tflite_compress.passes.base import Context
    from tflite_compress.scoring.reference import Outputs

MAX_SAMPLES = 256


@dataclass(frozen=True, eq=False)
class Compared:
    """The samples on which files are compared.

    Attributes:
        inputs: One array per input, shape (samples, ...).
        originals: Outputs of the original, one array per output.
        context: Data and progress.
    """

    inputs: tuple[np.ndarray, ...]
    originals: Outputs
    context: Context

    def agreement(self, outputs: Outputs) -> np.ndarray:
        """Return the agreement by sample, the mean over the outputs; -1 for outputs that are not finite."""
        rows = zip(self.context.reference.heads, self.originals, outputs, strict=True)
        found = np.mean([sample_agreement(head, a, b) for head, a, b in rows], axis=0)
        return np.where(np.isfinite(found), found, -1.0)


def compared_samples(context: Context) -> Compared:
    """Return training samples, or calibration samples if there are no others, with the original's outputs.

    Ranges and biases fit the calibration samples, so other samples show more.
    """
    splits = context.reference.splits
    if len(splits.train) < 2 * len(splits.calibrate):
        return Compared(splits.calibrate.inputs, context.reference.calibration_outputs, context)
    rng = np.random.default_rng(context.seed)
    chosen = splits.train.take(np.sort(rng.permutation(len(splits.train))[:MAX_SAMPLES]))
    return Compared(chosen.inputs, context.reference.network.predict(chosen.inputs), context)

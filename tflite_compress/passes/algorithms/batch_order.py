"""The order in which training sees the samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BatchOrder:
    """Batches from an endless row of permutations of all samples, one permutation for each epoch.

    All batches have the same size; one may reach from an epoch into the next. A batch follows from seed and
    number alone, so a resumed training sees the batches that were left.

    Attributes:
        samples: Number of samples.
        batch_size: Samples per batch.
        seed: Seed of the permutations.
    """

    samples: int
    batch_size: int
    seed: int

    def rows(self, first: int, count: int) -> np.ndarray:
        """Return the samples of some batches.

        Args:
            first: Number of the first batch, from 0.
            count: Number of batches.

        Returns:
            Indices of samples, int64, shape (count, batch_size).
        """
        start, end = first * self.batch_size, (first + count) * self.batch_size
        epochs = range(start // self.samples, (end - 1) // self.samples + 1)
        row = np.concatenate([self._permutation(epoch) for epoch in epochs])
        skipped = epochs.start * self.samples
        return row[start - skipped : end - skipped].reshape(count, self.batch_size)

    def _permutation(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(self.samples)

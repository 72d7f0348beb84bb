"""What levels of pruning cost, estimated before training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CostCurve:
    """Accuracy drop by level of pruning, without training and as estimated with it.

    Attributes:
        setting: Name of the setting that is the level, for example ``sparsity``.
        is_share_kept: True for a level that says what stays, such as ``target_macs``; False for one that says
            what goes.
        removed: Shares that were removed without training, rising.
        untrained: Accuracy drop at each, without training, estimated from the agreement with the original.
        recoverable: Of a large drop without training, what is estimated to stay after training.
    """

    setting: str
    is_share_kept: bool
    removed: tuple[float, ...]
    untrained: tuple[float, ...]
    recoverable: float

    def removed_at(self, level: float) -> float:
        """Return the share that a level removes; the level of a share that is removed, too."""
        return 1 - level if self.is_share_kept else level

    def untrained_at(self, level: float) -> float:
        """Return the drop without training at a level, interpolated."""
        import numpy as np

        drops = np.maximum.accumulate((0.0, *self.untrained))
        return float(np.interp(self.removed_at(level), (0.0, *self.removed), drops))

    def estimated_at(self, level: float) -> float:
        """Return the estimated drop after training at a level.

        Training wins back little of a small drop and most of a large one.
        """
        drop = self.untrained_at(level)
        return drop / (1 + drop / self.recoverable)

    def strongest(self, asked: float, max_drop: float, min_removed: float) -> float | None:
        """Return the strongest level, in steps of 0.01, whose estimated drop is accepted.

        Args:
            asked: The level asked for; no level is stronger.
            max_drop: Accepted accuracy drop.
            min_removed: Share that is removed at least.

        Returns:
            The level, or None if the drop is accepted at none.
        """
        steps = range(round(100 * self.removed_at(asked)), round(100 * min_removed) - 1, -1)
        levels = (round(self.removed_at(step / 100), 2) for step in steps)
        return next((level for level in levels if self.estimated_at(level) <= max_drop), None)

"""Improve a choice of channels: give back those there is room for, and exchange dear ones for cheap ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tflite_compress.channels.cost import Costs, Quantity
from tflite_compress.channels.select import next_smaller

MAX_EXCHANGES = 100


def improved(
    costs: Costs,
    saliency: np.ndarray,
    targets: Mapping[Quantity, float],
    multiple: int,
    keep: np.ndarray,
) -> np.ndarray:
    """Return a choice of groups that loses no more saliency and keeps the targets that were kept.

    Args:
        costs: The costs of the model.
        saliency: float, shape (groups,): saliency of each group; infinite for groups that must stay.
        targets: Maximum cost by quantity, in MACs or bytes.
        multiple: Each family keeps a multiple of this many groups, or all of them.
        keep: bool, shape (groups,): a choice from :func:`tflite_compress.channels.select.choose`.

    Returns:
        bool, shape (groups,): True for groups that stay.
    """
    ranked = [family[np.argsort(saliency[family], kind="stable")] for family in costs.families]
    lost = [np.concatenate([[0.0], np.cumsum(saliency[own])]) for own in ranked]
    kept = np.array([int(keep[own].sum()) for own in ranked])
    limits = {what: max(target, costs.total(what, kept.astype(float))) for what, target in targets.items()}
    for _ in range(MAX_EXCHANGES):
        found = _best_change(costs, lost, limits, multiple, kept)
        if found is None:
            break
        kept = found
    result = np.ones(len(keep), bool)
    for own, count in zip(ranked, kept, strict=True):
        result[own[: len(own) - count]] = False
    return result


def _best_change(
    costs: Costs,
    lost: list[np.ndarray],
    limits: Mapping[Quantity, float],
    multiple: int,
    kept: np.ndarray,
) -> np.ndarray | None:
    """Return the numbers of groups after the change that wins most saliency; None if none wins any."""
    sizes = [len(sums) - 1 for sums in lost]

    def saved(family: int, after: int) -> float:
        """Return the saliency that a family wins by another number of groups; negative if it loses some."""
        sums, size = lost[family], sizes[family]
        return float(sums[size - int(kept[family])] - sums[size - after]) if after != kept[family] else 0.0

    numbers = [*zip(sizes, map(int, kept), strict=True)]
    up = [min(size, (count // multiple + 1) * multiple) for size, count in numbers]
    down = [count - next_smaller(count, size, multiple) for size, count in numbers]
    wins = [saved(i, after) for i, after in enumerate(up)]
    costs_more = [-saved(i, after) if after < kept[i] else np.inf for i, after in enumerate(down)]
    changes = [(win, i, -1) for i, win in enumerate(wins) if win > 0]
    changes += [
        (win - more, i, j)
        for i, win in enumerate(wins)
        for j, more in enumerate(costs_more)
        if i != j and win > more
    ]
    for _, raised, lowered in sorted(changes, reverse=True):
        after = kept.copy()
        after[raised] = up[raised]
        if lowered >= 0:
            after[lowered] = down[lowered]
        if all(costs.total(what, after.astype(float)) <= limit for what, limit in limits.items()):
            return after
    return None

"""Choose which channels to remove: least saliency per unit of cost saved, over the whole model."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import numpy as np

from tflite_compress.channels.cost import Costs, Quantity

MIN_SHARE = 0.1  # of each family that stays: a layer without channels would disconnect the network


def choose(
    costs: Costs,
    saliency: np.ndarray,
    targets: Mapping[Quantity, float],
    multiple: int,
    groups: int,
    max_groups: np.ndarray | None = None,
) -> np.ndarray:
    """Return which groups to keep to reach every target cost.

    The choice is greedy over all families. Each step removes the groups with the least saliency per unit of
    cost saved. A step reduces a family to the next smaller multiple of ``multiple``.

    Args:
        costs: The costs of the model.
        saliency: float, shape (groups,): saliency of each group; infinite for groups that must stay.
        targets: Maximum cost by quantity, in MACs or bytes. If a target cannot be reached, all removable
            groups are removed.
        multiple: Each family keeps a multiple of this many groups, or all of them.
        groups: Number of groups.
        max_groups: float, shape (families,): maximum number of groups of each family. None sets no maximum.

    Returns:
        bool, shape (groups,): True for groups that stay.
    """
    ranked = [family[np.argsort(saliency[family], kind="stable")] for family in costs.families]
    sums = [np.concatenate([[0.0], np.cumsum(saliency[family])]) for family in ranked]
    kept = costs.sizes.astype(np.float64)
    if max_groups is not None:
        pairs = zip(kept, max_groups, strict=True)
        kept = np.asarray([_limited(int(size), maximum, multiple) for size, maximum in pairs], float)
    for what, target in targets.items():
        kept = _lowered(costs, sums, what, target, multiple, kept)
    keep = np.ones(groups, bool)
    for group_order, count in zip(ranked, kept.astype(int), strict=True):
        keep[group_order[: len(group_order) - count]] = False
    return keep


def _lowered(
    costs: Costs, sums: list[np.ndarray], what: Quantity, target: float, multiple: int, kept: np.ndarray
) -> np.ndarray:
    """Return the number of groups each family keeps for a cost of at most ``target``, shape (families,)."""
    kept = kept.copy()
    total = costs.total(what, kept)
    steps = (_step(costs, sums, what, kept, family, multiple) for family in range(len(sums)))
    heap = [step for step in steps if step is not None]
    heapq.heapify(heap)
    while heap and total > target:
        priority, family = heapq.heappop(heap)
        step = _step(costs, sums, what, kept, family, multiple)
        if step is None:
            continue
        if step[0] > priority * (1 + 1e-9):  # saves less since connected layers shrank
            heapq.heappush(heap, step)
            continue
        count = next_smaller(int(kept[family]), len(sums[family]) - 1, multiple)
        total -= costs.saving(what, kept, family, count)
        kept[family] -= count
        following = _step(costs, sums, what, kept, family, multiple)
        if following is not None:
            heapq.heappush(heap, following)
    return kept


def _step(
    costs: Costs, sums: list[np.ndarray], what: Quantity, kept: np.ndarray, family: int, multiple: int
) -> tuple[float, int] | None:
    """Return (saliency removed per unit saved, family) for a family's next step, or None if there is none."""
    size = len(sums[family]) - 1
    count = next_smaller(int(kept[family]), size, multiple)
    if count == 0:
        return None
    gone = size - int(kept[family])
    saved = costs.saving(what, kept, family, count)
    lost = float(sums[family][gone + count] - sums[family][gone])
    if not np.isfinite(lost):
        return None
    return (lost / saved, family) if saved > 0 else None


def _limited(size: int, maximum: float, multiple: int) -> int:
    """Return the multiple nearest to ``maximum``, but at least MIN_SHARE of ``size`` and at most ``size``."""
    if maximum >= size:
        return size
    minimum = -(-max(1, int(np.ceil(size * MIN_SHARE))) // multiple) * multiple
    return min(size, max(minimum, round(maximum / multiple) * multiple))


def next_smaller(kept: int, size: int, multiple: int) -> int:
    """Return the number of groups that the next step removes; 0 if fewer than ``MIN_SHARE`` would stay."""
    after = (kept - 1) // multiple * multiple
    minimum = max(1, int(np.ceil(size * MIN_SHARE)))
    return kept - after if after >= minimum else 0

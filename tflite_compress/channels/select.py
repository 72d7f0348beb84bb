"""Choosing how many channels each group keeps: cheapest loss for what is saved, over the whole model."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import numpy as np

from tflite_compress.channels.cost import Costs, Quantity

MIN_SHARE = 0.1  # of a group's channels always stay: an empty layer would cut the network in two


def choose(
    costs: Costs,
    saliency: np.ndarray,
    targets: Mapping[Quantity, float],
    multiple: int,
    bundles: int,
    most: np.ndarray | None = None,
) -> np.ndarray:
    """Remove channels until every cost has fallen to its target.

    Greedy over all groups: the next step is always the one that loses least saliency for each unit of
    cost it saves. A step takes a group to the next count that is a multiple of ``multiple``.

    Args:
        costs: The model's cost.
        saliency: float, shape (bundles,): what is lost with each bundle.
        targets: Costs to reach, each in its own unit; where one cannot be reached everything removable goes.
        multiple: Groups keep a multiple of this many channels, or all they have.
        bundles: Number of bundles.
        most: float, shape (groups,): how many bundles each group may keep from the start; None limits none.

    Returns:
        bool, shape (bundles,): True stays.
    """
    ranked = [group[np.argsort(saliency[group], kind="stable")] for group in costs.groups]
    sums = [np.concatenate([[0.0], np.cumsum(saliency[group])]) for group in ranked]
    kept = costs.sizes.astype(np.float64)
    if most is not None:
        kept = np.asarray([_at_most(int(n), m, multiple) for n, m in zip(kept, most, strict=True)], float)
    for what, target in targets.items():
        kept = _lowered(costs, sums, what, target, multiple, kept)
    keep = np.ones(bundles, bool)
    for bundle_order, count in zip(ranked, kept.astype(int), strict=True):
        keep[bundle_order[: len(bundle_order) - count]] = False
    return keep


def _lowered(
    costs: Costs, sums: list[np.ndarray], what: Quantity, target: float, multiple: int, kept: np.ndarray
) -> np.ndarray:
    """How many bundles each group keeps once the cost is at most ``target``."""
    kept = kept.copy()
    total = costs.total(what, kept)
    steps = (_step(costs, sums, what, kept, group, multiple) for group in range(len(sums)))
    heap = [step for step in steps if step is not None]
    heapq.heapify(heap)
    while heap and total > target:
        priority, group = heapq.heappop(heap)
        step = _step(costs, sums, what, kept, group, multiple)
        if step is None:
            continue
        if step[0] > priority * (1 + 1e-9):  # its neighbours shrank since: it saves less now
            heapq.heappush(heap, step)
            continue
        count = _removed(int(kept[group]), len(sums[group]) - 1, multiple)
        total -= costs.saving(what, kept, group, count)
        kept[group] -= count
        following = _step(costs, sums, what, kept, group, multiple)
        if following is not None:
            heapq.heappush(heap, following)
    return kept


def _step(
    costs: Costs, sums: list[np.ndarray], what: Quantity, kept: np.ndarray, group: int, multiple: int
) -> tuple[float, int] | None:
    """(saliency lost for each unit saved, group) of a group's next step; None where it has none left."""
    size = len(sums[group]) - 1
    count = _removed(int(kept[group]), size, multiple)
    if count == 0:
        return None
    gone = size - int(kept[group])
    saved = costs.saving(what, kept, group, count)
    lost = float(sums[group][gone + count] - sums[group][gone])
    return (lost / saved, group) if saved > 0 else None


def _at_most(size: int, most: float, multiple: int) -> int:
    """The multiple nearest to what a group may keep; never none, and never more than it has."""
    if most >= size:
        return size
    least = -(-max(1, int(np.ceil(size * MIN_SHARE))) // multiple) * multiple
    return min(size, max(least, round(most / multiple) * multiple))


def _removed(kept: int, size: int, multiple: int) -> int:
    """How many channels the next step takes: down to the next multiple, and never to nothing."""
    after = (kept - 1) // multiple * multiple
    least = max(1, int(np.ceil(size * MIN_SHARE)))
    return kept - after if after >= least else 0

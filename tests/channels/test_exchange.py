"""A choice of channels that is improved by exchanges."""

from __future__ import annotations

import itertools

import numpy as np

from tflite_compress.channels.cost import Costs, Quantity
from tflite_compress.channels.exchange import improved
from tflite_compress.channels.select import choose

FAMILIES = (np.arange(0, 8), np.arange(8, 16), np.arange(16, 32))
COSTS = Costs(
    FAMILIES,
    np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float),
    np.array([3.0, 0, 0, 0]),
    ((0, 1), (1, 2), (2, 3)),
    np.array([False, True, True, True]),
    np.array([9.0, 9.0, 1.0]),
    np.ones(3),
)


def counts(keep: np.ndarray) -> tuple[int, ...]:
    return tuple(int(keep[family].sum()) for family in FAMILIES)


def test_exchanges_come_near_the_best_choice() -> None:
    full = COSTS.total("macs", COSTS.sizes.astype(float))
    beaten = 0
    for seed in range(20):
        saliency = np.random.default_rng(seed).exponential(size=32)
        limit: dict[Quantity, float] = {"macs": 0.7 * full}
        first = choose(COSTS, saliency, limit, 4, 32)
        second = improved(COSTS, saliency, limit, 4, first)
        assert COSTS.total("macs", np.array(counts(second), float)) <= 0.7 * full
        assert saliency[~second].sum() <= saliency[~first].sum()
        assert all(count % 4 == 0 for count in counts(second))
        sums = [np.concatenate([[0], np.cumsum(np.sort(saliency[f]))]) for f in FAMILIES]
        options = itertools.product((4, 8), (4, 8), (4, 8, 12, 16))
        fitting = [k for k in options if COSTS.total("macs", np.array(k, float)) <= 0.7 * full]
        best = min(sum(s[len(s) - 1 - n] for s, n in zip(sums, k, strict=True)) for k in fitting)
        beaten += saliency[~second].sum() > best + 1e-9
    assert beaten <= 2


def test_groups_that_must_stay_are_not_exchanged() -> None:
    saliency = np.ones(32)
    saliency[:8] = np.inf
    limit: dict[Quantity, float] = {"macs": 0.8 * COSTS.total("macs", COSTS.sizes.astype(float))}
    keep = improved(COSTS, saliency, limit, 4, choose(COSTS, saliency, limit, 4, 32))
    assert counts(keep)[0] == 8

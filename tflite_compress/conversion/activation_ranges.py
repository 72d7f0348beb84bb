"""Calibration methods: the range of values over which an activation tensor is quantized.

With ``minmax``, a few outliers widen the range and leave fewer steps for all other values. Three methods clip
outliers: a percentile; the minimum mean squared error over a grid of thresholds (Banner et al.,
arXiv:1810.05723; Choukroun et al., arXiv:1902.06822); the minimum Kullback-Leibler divergence between the
values before and after quantization (Migacz, "8-bit Inference with TensorRT", GTC 2017).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tflite_compress.conversion import Method
from tflite_compress.conversion.observe import Observed

PERCENTILE = 99.99
CANDIDATES = 80
MIN_SHARE = 0.02  # smallest threshold tried, as a share of the whole range
FIXED = (
    "SOFTMAX",
    "LOGISTIC",
    "TANH",
    "LOG_SOFTMAX",
    "L2_NORMALIZATION",
)  # the specification sets their range

Range = tuple[float, float]
Measurement = Callable[[np.ndarray, np.ndarray, float, float, int], float]


def chosen_range(observed: Observed, method: Method, levels: int = 256) -> Range:
    """Return the range to quantize a tensor over. It always contains zero.

    Args:
        observed: The values of the tensor.
        method: The calibration method.
        levels: Number of values of the integer type, for example 256 for int8.

    Returns:
        Lower and upper bound.
    """
    whole = min(observed.low, 0.0), max(observed.high, 0.0)
    if method == "minmax" or not observed.counts.sum() or observed.kind in FIXED:
        return whole
    if method == "percentile":
        return _percentile(observed)
    cost = _squared_error if method == "mse" else _divergence
    centres, counts = _centres(observed), observed.counts.astype(np.float64)
    shares = np.geomspace(MIN_SHARE, 1.0, CANDIDATES)
    candidates = [(whole[0] * share, whole[1] * share) for share in shares]
    if whole[0] < 0 < whole[1]:  # choose the upper bound first, then the lower one
        high = _cheapest(cost, centres, counts, [(whole[0], whole[1] * s) for s in shares], levels)[1]
        candidates = [(whole[0] * share, high) for share in shares]
    return _cheapest(cost, centres, counts, candidates, levels)


def _percentile(observed: Observed) -> Range:
    share = np.cumsum(observed.counts) / observed.counts.sum()
    edges = np.linspace(observed.low, observed.high, len(observed.counts) + 1)
    tail = (1 - PERCENTILE / 100) / 2
    low = edges[int(np.searchsorted(share, tail))] if observed.low < 0 else observed.low
    high = edges[min(int(np.searchsorted(share, 1 - tail)) + 1, len(edges) - 1)]
    return min(float(low), 0.0), max(float(high), 0.0)


def _centres(observed: Observed) -> np.ndarray:
    edges = np.linspace(observed.low, observed.high, len(observed.counts) + 1)
    return np.asarray((edges[:-1] + edges[1:]) / 2)


def _cheapest(
    cost: Measurement, centres: np.ndarray, counts: np.ndarray, candidates: list[Range], levels: int
) -> Range:
    costs = [cost(centres, counts, low, high, levels) for low, high in candidates]
    return candidates[int(np.argmin(costs))]


def _rounded(centres: np.ndarray, low: float, high: float, levels: int) -> np.ndarray:
    """Return the values after quantization over this range and dequantization."""
    step = max(high - low, 1e-30) / (levels - 1)
    return np.asarray(np.rint((np.clip(centres, low, high) - low) / step) * step + low)


def _squared_error(centres: np.ndarray, counts: np.ndarray, low: float, high: float, levels: int) -> float:
    return float(counts @ (centres - _rounded(centres, low, high, levels)) ** 2)


def _divergence(centres: np.ndarray, counts: np.ndarray, low: float, high: float, levels: int) -> float:
    """Return the KL divergence of the quantized histogram from the clipped one.

    Values outside the range count at its ends.
    """
    counts = np.where(np.abs(centres) <= (centres[1] - centres[0]) / 2, 0.0, counts)  # exact in any range
    inside = (centres >= low) & (centres <= high)
    if inside.sum() < 2:
        return float("inf")
    real = counts[inside].copy()
    kept = real.copy()
    real[0] += counts[centres < low].sum()
    real[-1] += counts[centres > high].sum()
    step = max(high - low, 1e-30) / (levels - 1)
    groups = np.rint((centres[inside] - low) / step).astype(np.int64)
    occupied = (kept > 0).astype(np.float64)
    totals, sizes = np.bincount(groups, kept), np.bincount(groups, occupied)
    spread = np.where(occupied > 0, (totals / np.maximum(sizes, 1))[groups], 0.0)
    p, q = real / real.sum(), np.maximum(spread / max(spread.sum(), 1e-30), 1e-12)
    return float(np.sum(np.where(p > 0, p * np.log(np.maximum(p, 1e-30) / q), 0.0)))

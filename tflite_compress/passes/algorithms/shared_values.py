"""A few values that all weights of a layer share, chosen for their error and for the bits of their code.

Weights are divided by the scale of their output channel first, so that equal values become equal integers in
all channels. With a price per bit, values are those of entropy-constrained quantization (Chou, Lookabaugh and
Gray, "Entropy-constrained vector quantization", IEEE Transactions on Acoustics, Speech and Signal Processing
37(1), 1989); without one, those of k-means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BINS = 2048  # of the histogram that values are fitted to
ROUNDS = 40
UNIFORM_STEP = 2.94  # times the root of the price of a bit: the best step of a uniform grid, sqrt(12 / ln 4)


@dataclass(frozen=True, eq=False)
class SharedValues:
    """The values of a layer.

    Attributes:
        values: Ascending, one of them 0, float64, shape (values,).
        offsets: Added to the mean of neighbouring values, they give the thresholds between them. They make
            frequent values, whose codes are short, more frequent. Shape (values - 1,).
        bits: Entropy of the weights, in bits per weight.
    """

    values: np.ndarray
    offsets: np.ndarray
    bits: float

    def nearest(self, weights: np.ndarray) -> np.ndarray:
        """Return the index of each weight's value, int64, in the shape of the weights."""
        thresholds = (self.values[1:] + self.values[:-1]) / 2 + self.offsets
        return np.asarray(np.searchsorted(thresholds, weights))


def channel_scales(kernel: np.ndarray, per_channel: bool) -> np.ndarray:
    """Return the root mean square of each output channel, on the last axis, or that of the whole kernel.

    Returns:
        float64, shape (channels,), or () for the whole kernel. 1 where all weights are 0.
    """
    axes = tuple(range(kernel.ndim - 1)) if per_channel else None
    found = np.sqrt(np.mean(np.square(kernel.astype(np.float64)), axis=axes))
    return np.asarray(np.where(found > 0, found, 1.0))


def fit_values(
    kernels: Mapping[str, np.ndarray], max_values: int, bits: float | None
) -> dict[str, SharedValues]:
    """Return values for each layer.

    Noise that layers add to the outputs is about as large as the noise in their weights, whatever their size,
    so a layer with few weights gets more bits per weight.

    Args:
        kernels: Weights divided by the scales of their channels, by layer.
        max_values: Largest number of values of a layer.
        bits: Maximum entropy in bits per weight, mean over all weights; None for the smallest error.
    """
    histograms = {name: _histogram(kernel) for name, kernel in kernels.items()}
    sizes = {name: kernel.size for name, kernel in kernels.items()}
    total = sum(sizes.values())

    def fitted(price: float) -> dict[str, SharedValues]:
        return {
            name: _fit(*histogram, max_values, price * sizes[name] / total)
            for name, histogram in histograms.items()
        }

    found = fitted(0.0)
    if bits is None or _mean_bits(found, sizes) <= bits:
        return found
    low, high = 1e-6, 100.0
    for _ in range(20):
        middle = float(np.sqrt(low * high))
        found = fitted(middle)
        low, high = (low, middle) if _mean_bits(found, sizes) <= bits else (middle, high)
    return fitted(high)


def _mean_bits(found: Mapping[str, SharedValues], sizes: Mapping[str, int]) -> float:
    return sum(found[name].bits * size for name, size in sizes.items()) / sum(sizes.values())


def _histogram(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means and counts of the bins that hold weights; a bin of its own for 0."""
    weights = kernel.reshape(-1).astype(np.float64)
    nonzero = weights[weights != 0]
    if not len(nonzero):
        return np.zeros(1), np.asarray([float(len(weights))])
    counts, edges = np.histogram(nonzero, BINS)
    sums, _ = np.histogram(nonzero, edges, weights=nonzero)
    held = counts > 0
    means = np.append(sums[held] / counts[held], 0.0)
    return means, np.append(counts[held], len(weights) - len(nonzero)).astype(np.float64)


def _fit(means: np.ndarray, counts: np.ndarray, max_values: int, price: float) -> SharedValues:
    """Return the values of a layer: assignments and values are improved alternately."""
    values = _first_values(means, counts, max_values, price)
    lengths = np.zeros(len(values))
    for _ in range(ROUNDS):
        chosen = np.argmin((means[:, None] - values) ** 2 + price * lengths, axis=1)
        weights = np.bincount(chosen, counts, len(values))
        sums = np.bincount(chosen, counts * means, len(values))
        held = (weights > 0) | (values == 0)
        moved = np.where(values == 0, 0.0, sums / np.maximum(weights, 1e-300))
        values, weights = moved[held], weights[held]
        shares = np.maximum(weights, 0.5) / counts.sum()
        lengths = -np.log2(shares)
    distances = np.maximum(np.diff(values), 1e-12)
    offsets = price * np.diff(lengths) / (2 * distances)
    offsets = np.clip(offsets, -distances / 2, distances / 2)
    return SharedValues(values, offsets, float((shares * lengths).sum()))


def _first_values(means: np.ndarray, counts: np.ndarray, max_values: int, price: float) -> np.ndarray:
    """Return values to begin with: a uniform grid, or if that has too many, more where weights are many."""
    low, high = min(0.0, float(means.min())), max(0.0, float(means.max()))
    step = UNIFORM_STEP * np.sqrt(price)
    if step > 0 and (high - low) / step + 1 <= max_values:
        return np.asarray(step * np.arange(np.ceil(low / step), np.floor(high / step) + 1))
    order = np.argsort(means)
    density = counts[order] ** (1 / 3) * (means[order] != 0)
    spread = np.cumsum(density) / max(float(density.sum()), 1e-300)
    values = np.unique(np.interp((np.arange(max_values - 1) + 0.5) / (max_values - 1), spread, means[order]))
    return np.unique(np.append(values, 0.0))

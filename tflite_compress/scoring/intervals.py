"""Confidence intervals: of a share, of the difference of two shares on the same samples, of any metric."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import msgspec
import numpy as np

MIN_BOOTSTRAP_SAMPLES = 8  # with fewer, resamples do not show the spread
RESAMPLES = 2000
_MAX_WORK = 400_000_000  # values that all resamples together read, so that large maps take seconds
_MIN_RESAMPLES = 200
_HALVINGS = 50
_BLOCK = 50  # resamples in memory together


class Interval(msgspec.Struct, frozen=True):
    """A confidence interval.

    Attributes:
        low: Lower end.
        high: Upper end.
    """

    low: float
    high: float


def normal_quantile(confidence: float) -> float:
    """Return how many standard errors a two-sided interval reaches to each side: 1.96 for 0.95."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson_interval(share: float, samples: int, confidence: float) -> Interval:
    """Return the score interval of a share (Wilson, JASA 22, 1927).

    Args:
        share: The measured share, 0 to 1.
        samples: Number of independent samples, at least 1.
        confidence: Probability that the interval holds the true share.
    """
    z, n = normal_quantile(confidence), samples
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def paired_share_interval(lost: int, gained: int, samples: int, confidence: float) -> Interval:
    """Return the interval of the drop between two shares on the same samples.

    Args:
        lost: Samples that only the first model answers correctly.
        gained: Samples that only the second model answers correctly.
        samples: Number of samples, at least 1.
        confidence: Probability that the interval holds the true drop.
    """
    low, high = paired_share_bounds(np.array([lost]), np.array([gained]), samples, confidence)
    return Interval(float(low[0]), float(high[0]))


def paired_share_bounds(
    lost: np.ndarray, gained: np.ndarray, samples: int, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper ends of the score interval of paired shares (Tango, Stat. Med. 17, 1998).

    It holds all drops that a score test, of which McNemar's test is the case of no drop, does not reject.

    Args:
        lost: Samples that only the first model answers correctly, shape (runs,).
        gained: Samples that only the second model answers correctly, shape (runs,).
        samples: Number of samples of each run.
        confidence: Probability that an interval holds the true drop.

    Returns:
        Two arrays of shape (runs,).
    """
    b, c = np.asarray(lost, np.float64), np.asarray(gained, np.float64)
    z = normal_quantile(confidence)
    return -_paired_limit(c, b, samples, z), _paired_limit(b, c, samples, z)


def _paired_limit(b: np.ndarray, c: np.ndarray, n: int, z: float) -> np.ndarray:
    """Return the largest drop that the score test does not reject, by bisection."""
    low, high = (b - c) / n, np.ones_like(b)
    for _ in range(_HALVINGS):
        drop = (low + high) / 2
        inner = (2 * n - b + c) * drop - b - c
        root = np.sqrt(np.maximum(inner**2 + 8 * n * c * drop * (1 - drop), 0.0))
        other = (root - inner) / (4 * n)  # the most likely share of gained samples, if this is the drop
        variance = n * np.maximum(2 * other + drop * (1 - drop), 1e-300)
        is_rejected = (n * drop - (b - c)) > z * np.sqrt(variance)
        low, high = np.where(is_rejected, low, drop), np.where(is_rejected, drop, high)
    return np.asarray((low + high) / 2)


def resample_counts(samples: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each sample occurs in resamples drawn with replacement, in blocks of resamples.

    Args:
        samples: Number of samples.
        resamples: Number of resamples.
        seed: Seed of the draws.

    Yields:
        Counts of shape (block, samples), float64; each row sums to ``samples``.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, _BLOCK):
        drawn = rng.integers(0, samples, (min(_BLOCK, resamples - start), samples))
        yield np.stack([np.bincount(row, minlength=samples) for row in drawn]).astype(np.float64)


def resamples_for(values: int) -> int:
    """Return the number of resamples for a metric that reads so many values each time."""
    return int(np.clip(_MAX_WORK // max(values, 1), _MIN_RESAMPLES, RESAMPLES))


def percentile_interval(resampled: np.ndarray, samples: int, confidence: float) -> Interval | None:
    """Return the bootstrap interval: percentiles of a statistic over resamples.

    The percentiles are those of the expanded percentile interval (Hesterberg, Am. Stat. 69, 2015), which
    corrects that resamples of few samples spread too little.

    Args:
        resampled: The statistic of each resample, shape (resamples,); NaN where it is not defined.
        samples: Number of samples.
        confidence: Probability that the interval holds the true value.

    Returns:
        The interval; None for under 8 samples, or where over half of the resamples have no value.
    """
    usable = resampled[np.isfinite(resampled)]
    if samples < MIN_BOOTSTRAP_SAMPLES or 2 * len(usable) < len(resampled):
        return None
    tail = expanded_tail(samples, confidence)
    low, high = np.quantile(usable, [tail, 1 - tail])
    return Interval(float(low), float(high))


def expanded_tail(samples: int, confidence: float) -> float:
    """Return the share of resamples to leave out at each end."""
    z, v = normal_quantile(confidence), samples - 1
    # Student's t by its expansion around the normal distribution (Abramowitz and Stegun, 26.7.5).
    t = z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    return NormalDist().cdf(-t * math.sqrt(samples / v))

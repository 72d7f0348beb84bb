"""Quantize a forest: thresholds to one grid per feature, leaves to one scale.

The grid covers the thresholds inside the range of the calibration samples. A split outside this range
separates no such sample and is removed. Samples outside the range are clipped to it. If a feature's
thresholds are multiples of a power of two, as with counts or pixels, the grid step is that power and
quantization is exact.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from tflite_compress.trees.forest import Forest, Grid, Precision, Tree
from tflite_compress.trees.merge import limit_to_ranges

_FINEST, _COARSEST = 14, -6  # powers of 1/2 tried as the step
_MARGIN = 2  # steps, so that no sample is rounded above the largest threshold
_SPARE = 1  # the largest number of the type is above every threshold; the smallest represents NaN


def feature_ranges(samples: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimum and maximum of each feature, float64 (features,); NaN if it is always missing.

    Args:
        samples: Arrays of shape (samples, features).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a feature that is always missing
        lows = [np.nanmin(x, axis=0) for x in samples]
        highs = [np.nanmax(x, axis=0) for x in samples]
        return np.nanmin(lows, axis=0).astype(np.float64), np.nanmax(highs, axis=0).astype(np.float64)


def quantize_forest(forest: Forest, ranges: tuple[np.ndarray, np.ndarray], precision: Precision) -> Forest:
    """Return the forest with integer thresholds and leaves.

    Args:
        forest: A forest that is not quantized.
        ranges: Minimum and maximum of each feature; see :func:`feature_ranges`.
        precision: ``int8`` or ``int16``.
    """
    grid = _grid(forest, ranges, precision)
    most = np.iinfo(precision).max
    forest = limit_to_ranges(forest, *ranges)
    largest = max((float(np.abs(t.value[t.is_leaf]).max()) for t in forest.trees), default=0.0)
    step = largest / most if largest > 0 else 1.0
    trees = tuple(_on_grid(tree, grid, step, ranges) for tree in forest.trees)
    return replace(forest, trees=trees, grid=grid, leaf_step=step, leaf_precision=precision)


def _grid(forest: Forest, ranges: tuple[np.ndarray, np.ndarray], precision: Precision) -> Grid:
    info = np.iinfo(precision)
    steps = info.max - _SPARE - info.min - 1
    split = [~tree.is_leaf for tree in forest.trees]
    features = np.concatenate([t.feature[s] for t, s in zip(forest.trees, split, strict=True)])
    thresholds = np.concatenate([t.threshold[s] for t, s in zip(forest.trees, split, strict=True)])
    low = np.zeros(forest.features)
    per_step = np.ones(forest.features)
    for feature in np.unique(features).tolist():
        own = np.unique(thresholds[features == feature].astype(np.float64))
        inside = own[(own >= ranges[0][feature]) & (own <= ranges[1][feature])]
        least = inside[0] if len(inside) else np.nan_to_num(ranges[0][feature])
        per_step[feature] = (
            _steps_per_unit(inside, steps) if len(inside) > 1 else _alone(ranges, feature, steps)
        )
        low[feature] = least - (info.min + 1) / per_step[feature]
    return Grid(low.astype(np.float32), per_step.astype(np.float32), precision)


def _alone(ranges: tuple[np.ndarray, np.ndarray], feature: int, steps: int) -> float:
    """Return grid steps per unit of a feature with one threshold, from the range of the samples."""
    spread = float(ranges[1][feature] - ranges[0][feature])
    return (steps - _MARGIN) / spread if np.isfinite(spread) and spread > 0 else 1.0


def _steps_per_unit(thresholds: np.ndarray, steps: int) -> float:
    """Return grid steps per unit of the feature: an exact power of two, or as many as fit."""
    spread = float(thresholds[-1] - thresholds[0])
    for power in range(_COARSEST, _FINEST + 1):
        factor = 2.0**power
        if spread * factor > steps:
            break
        scaled = (thresholds - thresholds[0]) * factor
        if np.array_equal(scaled, np.round(scaled)):
            return factor
    return steps / spread


def _on_grid(tree: Tree, grid: Grid, step: float, ranges: tuple[np.ndarray, np.ndarray]) -> Tree:
    info = np.iinfo(grid.precision)
    place = (tree.threshold.astype(np.float64) - grid.low[tree.feature]) * grid.per_step[tree.feature]
    place = np.clip(np.rint(place), info.min + 1, info.max - _SPARE)
    place = np.where(tree.threshold < ranges[0][tree.feature], info.min, place)  # below every sample: right
    threshold = np.where(tree.is_leaf, 0, place).astype(np.float32)
    return replace(tree, threshold=threshold, value=np.rint(tree.value / step))

"""Quantizing a forest: thresholds onto a grid of their feature's own, leaves onto one scale.

The grid holds the thresholds inside the range the calibration samples have. A split outside it separates no
such sample and is taken out; samples beyond the range are taken for its ends. Where a feature's thresholds
are multiples of a power of two that fits, as with counts or pixels, that is the step, and nothing is lost.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tflite_compress.trees.forest import Forest, Grid, Precision, Tree
from tflite_compress.trees.merge import within

_FINEST, _COARSEST = 14, -6  # powers of 1/2 tried as the step
_MARGIN = 2  # steps, so that rounding brings no sample above the largest threshold
_SPARE = 1  # the largest number of the type is above every threshold; the smallest stands for NaN


def feature_ranges(samples: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest value of each feature, float64 (features,); NaN where there is none.

    Args:
        samples: Arrays of shape (samples, features).
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a feature that is always missing
        lows = [np.nanmin(x, axis=0) for x in samples]
        highs = [np.nanmax(x, axis=0) for x in samples]
        return np.nanmin(lows, axis=0).astype(np.float64), np.nanmax(highs, axis=0).astype(np.float64)


def quantized(forest: Forest, ranges: tuple[np.ndarray, np.ndarray], precision: Precision) -> Forest:
    """The forest with thresholds and leaves in whole numbers.

    Args:
        forest: One that is not quantized.
        ranges: Least and largest value of each feature.
        precision: ``int8`` or ``int16``.
    """
    grid = _grid(forest, ranges, precision)
    most = np.iinfo(precision).max
    forest = within(forest, *ranges)
    largest = max((float(np.abs(t.value[t.is_leaf]).max()) for t in forest.trees), default=0.0)
    step = largest / most if largest > 0 else 1.0
    trees = tuple(_on_grid(tree, grid, step, ranges) for tree in forest.trees)
    return replace(forest, trees=trees, grid=grid, leaf_step=step, leaf_numeric=precision)


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
            _steps_a_unit(inside, steps) if len(inside) > 1 else _alone(ranges, feature, steps)
        )
        low[feature] = least - (info.min + 1) / per_step[feature]
    return Grid(low.astype(np.float32), per_step.astype(np.float32), precision)


def _alone(ranges: tuple[np.ndarray, np.ndarray], feature: int, steps: int) -> float:
    """Grid steps for 1 of a feature with one threshold: any will do that is of the samples' own size."""
    spread = float(ranges[1][feature] - ranges[0][feature])
    return (steps - _MARGIN) / spread if np.isfinite(spread) and spread > 0 else 1.0


def _steps_a_unit(thresholds: np.ndarray, steps: int) -> float:
    """Grid steps for 1 of the feature: a power of two that loses nothing, or as fine as fits."""
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

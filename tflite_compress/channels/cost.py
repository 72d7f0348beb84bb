"""What a model costs as a function of how many channels stay, without building it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.channels.dependencies import Dependencies

Quantity = Literal["macs", "bytes"]

WEIGHT_BYTES = {"float32": 4.0, "float16": 2.0, "dynamic": 1.0, "int8": 1.0, "int16x8": 1.0}
# For each output channel: the bias, and in integer files the scales of weight and bias.
CHANNEL_BYTES = {"float32": 4.0, "float16": 2.0, "dynamic": 8.0, "int8": 12.0, "int16x8": 16.0}


@dataclass(frozen=True, eq=False)
class Costs:
    """Multiply-accumulates and bytes as sums of products of axis lengths.

    Bundles that appear in the same axes are alike and form a group: only how many of a group stay matters.

    Attributes:
        groups: Bundles of each group.
        entries: float64, shape (axes, groups): entries of an axis that go with one bundle of a group.
        fixed: float64, shape (axes,): entries of each axis that always stay.
        axes_of: For each weight, the axes it has.
        makes: bool, shape (axes,): the axis is the width of a layer.
        macs, bytes: float64, shape (weights,): what each combination of entries of its axes costs.
    """

    groups: tuple[np.ndarray, ...]
    entries: np.ndarray
    fixed: np.ndarray
    axes_of: tuple[tuple[int, ...], ...]
    makes: np.ndarray
    macs: np.ndarray
    bytes: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Number of bundles in each group, int64."""
        return np.asarray([len(g) for g in self.groups], np.int64)

    def total(self, what: Quantity, kept: np.ndarray) -> float:
        """Cost of the model with ``kept`` bundles of each group."""
        return float(self._products(self.entries @ kept + self.fixed) @ getattr(self, what))

    def saving(self, what: Quantity, kept: np.ndarray, group: int, count: int) -> float:
        """What removing ``count`` more bundles of a group saves."""
        lengths = self.entries @ kept + self.fixed
        touched = self.entries[:, group]
        rows = [i for i, own in enumerate(self.axes_of) if any(touched[a] for a in own)]
        price = getattr(self, what)[rows]
        after = self._products(lengths - count * touched, rows)
        return float((self._products(lengths, rows) - after) @ price)

    def _products(self, lengths: np.ndarray, rows: list[int] | None = None) -> np.ndarray:
        chosen = self.axes_of if rows is None else [self.axes_of[i] for i in rows]
        return np.asarray([np.prod(lengths[list(axes)]) for axes in chosen], np.float64)


def costs(dependencies: Dependencies, precision: str) -> Costs:
    """Set up the cost of a traced model.

    Args:
        dependencies: The model's channels.
        precision: The type the model will be converted to; decides the bytes.
    """
    members: dict[int, list[tuple[int, int]]] = {}
    fixed: list[float] = []
    makes: list[bool] = []
    axes_of: list[tuple[int, ...]] = []
    prices: list[tuple[float, float]] = []
    for found in dependencies.layers:
        for weight, axes, reuse in zip(found.layer.weights, found.weights, found.reuse, strict=True):
            own = range(len(fixed), len(fixed) + len(axes))
            for number, axis in zip(own, axes, strict=True):
                bundles, counts = np.unique(dependencies.bundles(axis.labels), return_counts=True)
                free = bundles >= 0
                fixed.append(float(counts[~free].sum()))
                makes.append(axis.role == "out")
                for bundle, count in zip(bundles[free].tolist(), counts[free].tolist(), strict=True):
                    members.setdefault(bundle, []).append((number, count))
            labelled = {axis.number for axis in axes}
            rest = float(np.prod([d for i, d in enumerate(weight.shape) if i not in labelled]))
            axes_of.append(tuple(own))
            prices.append((rest * reuse, rest * _bytes_of(weight, precision)))
    groups, entries = _grouped(members, len(fixed))
    macs, size = (np.asarray(column, np.float64) for column in zip(*prices, strict=True))
    return Costs(groups, entries, np.asarray(fixed), tuple(axes_of), np.asarray(makes, bool), macs, size)


def _bytes_of(weight: object, precision: str) -> float:
    """Bytes of one entry; of the vectors of BatchNorm only one stays, as the bias it is folded into."""
    if len(weight.shape) > 1:  # type: ignore[attr-defined]
        return WEIGHT_BYTES[precision]
    name = str(weight.name)  # type: ignore[attr-defined]
    return CHANNEL_BYTES[precision] if "bias" in name or "beta" in name else 0.0


def _grouped(
    members: dict[int, list[tuple[int, int]]], axes: int
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Bundles with the same axes, and the entries one bundle of each group has in each axis."""
    alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for bundle in sorted(members):
        alike.setdefault(tuple(members[bundle]), []).append(bundle)
    entries = np.zeros((axes, len(alike)))
    for group, signature in enumerate(alike):
        for axis, count in signature:
            entries[axis, group] = count
    return tuple(np.asarray(bundles) for bundles in alike.values()), entries

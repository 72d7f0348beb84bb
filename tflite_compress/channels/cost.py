"""Estimate MACs and bytes of a pruned model from the number of channels left, without building it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.channels.dependencies import Dependencies
from tflite_compress.models.keras_types import Tensor

Quantity = Literal["macs", "bytes"]

WEIGHT_BYTES = {"float32": 4.0, "float16": 2.0, "dynamic": 1.0, "int8": 1.0, "int16x8": 1.0}
# Per output channel: the bias, and in integer files the scales of weight and bias.
CHANNEL_BYTES = {"float32": 4.0, "float16": 2.0, "dynamic": 8.0, "int8": 12.0, "int16x8": 16.0}


@dataclass(frozen=True, eq=False)
class Costs:
    """MACs and bytes of a model, as sums of products of axis lengths.

    A group is a set of channels that must be removed together. A family is the set of all groups that occur
    in the same axes. The cost depends only on the number of groups left in each family.

    Attributes:
        families: Group numbers of each family.
        entries: float64, shape (axes, families): entries that one group of a family has in an axis.
        fixed: float64, shape (axes,): entries of each axis that cannot be removed.
        axes_of: The axes of each weight.
        makes: bool, shape (axes,): True if the axis is the output axis of a layer.
        macs: float64, shape (weights,): MACs per element of a weight, restricted to its labelled axes.
        bytes: float64, shape (weights,): bytes per element of a weight, restricted to its labelled axes.
    """

    families: tuple[np.ndarray, ...]
    entries: np.ndarray
    fixed: np.ndarray
    axes_of: tuple[tuple[int, ...], ...]
    makes: np.ndarray
    macs: np.ndarray
    bytes: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Number of groups in each family, int64, shape (families,)."""
        return np.asarray([len(g) for g in self.families], np.int64)

    def total(self, what: Quantity, kept: np.ndarray) -> float:
        """Return the cost of the model if ``kept`` groups of each family stay."""
        return float(self._products(self.entries @ kept + self.fixed) @ getattr(self, what))

    def saving(self, what: Quantity, kept: np.ndarray, family: int, count: int) -> float:
        """Return the cost saved if ``count`` more groups of a family are removed."""
        lengths = self.entries @ kept + self.fixed
        touched = self.entries[:, family]
        rows = [i for i, own in enumerate(self.axes_of) if any(touched[a] for a in own)]
        price = getattr(self, what)[rows]
        after = self._products(lengths - count * touched, rows)
        return float((self._products(lengths, rows) - after) @ price)

    def _products(self, lengths: np.ndarray, rows: list[int] | None = None) -> np.ndarray:
        chosen = self.axes_of if rows is None else [self.axes_of[i] for i in rows]
        return np.asarray([np.prod(lengths[list(axes)]) for axes in chosen], np.float64)


def costs(dependencies: Dependencies, precision: str) -> Costs:
    """Return the costs of a traced model.

    Args:
        dependencies: The groups of channels of the model.
        precision: The precision the model will be converted to. It determines the bytes per weight.
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
                groups, counts = np.unique(dependencies.groups(axis.labels), return_counts=True)
                free = groups >= 0
                fixed.append(float(counts[~free].sum()))
                makes.append(axis.role == "out")
                for group, count in zip(groups[free].tolist(), counts[free].tolist(), strict=True):
                    members.setdefault(group, []).append((number, count))
            labelled = {axis.number for axis in axes}
            rest = float(np.prod([d for i, d in enumerate(weight.shape) if i not in labelled]))
            axes_of.append(tuple(own))
            prices.append((rest * reuse, rest * _bytes_of(weight, precision)))
    families, entries = _families(members, len(fixed))
    macs, size = (np.asarray(column, np.float64) for column in zip(*prices, strict=True))
    return Costs(families, entries, np.asarray(fixed), tuple(axes_of), np.asarray(makes, bool), macs, size)


def _bytes_of(weight: Tensor, precision: str) -> float:
    """Return the bytes of one element. BatchNorm is folded, so only its beta counts, as a bias."""
    if len(weight.shape) > 1:
        return WEIGHT_BYTES[precision]
    return CHANNEL_BYTES[precision] if "bias" in weight.name or "beta" in weight.name else 0.0


def _families(
    members: dict[int, list[tuple[int, int]]], axes: int
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return the groups of each family, and the entries of one group in each axis, shape (axes, families)."""
    alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for group in sorted(members):
        alike.setdefault(tuple(members[group]), []).append(group)
    entries = np.zeros((axes, len(alike)))
    for family, signature in enumerate(alike):
        for axis, count in signature:
            entries[axis, family] = count
    return tuple(np.asarray(groups) for groups in alike.values()), entries

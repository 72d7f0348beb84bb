"""Families of channel groups with the layers that produce them, and the shares a user wants to keep."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from tflite_compress.channels.cost import Costs
from tflite_compress.channels.dependencies import Dependencies
from tflite_compress.support.errors import ConfigError

Wanted = list[tuple[re.Pattern[str], float]]


@dataclass(frozen=True)
class Family:
    """Groups of channels that occur in the same axes, described by their layers.

    Attributes:
        layers: Names of the layers that produce the channels, without layers that only pass them on
            (BatchNorm, depthwise convolution).
        size: Number of groups.
    """

    layers: tuple[str, ...]
    size: int


def families(dependencies: Dependencies, costs: Costs) -> tuple[Family, ...]:
    """Return the families in the order of ``costs.families``, with the layers that produce their channels."""
    of_group = {int(g): index for index, groups in enumerate(costs.families) for g in groups}
    makers: list[list[str]] = [[] for _ in costs.families]
    for found in dependencies.layers:
        outs = [axis.labels for axes in found.weights for axis in axes if axis.role == "out"]
        reads = any(axis.role == "in" for axes in found.weights for axis in axes)
        if not outs or not reads:
            continue
        groups = np.unique(np.concatenate([dependencies.groups(labels) for labels in outs]))
        for index in dict.fromkeys(of_group[int(g)] for g in groups if g >= 0):
            makers[index].append(found.layer.name)
    return tuple(
        Family(tuple(names), len(groups)) for names, groups in zip(makers, costs.families, strict=True)
    )


def shares_asked(rules: tuple[str, ...]) -> Wanted:
    """Parse rules of the form ``REGEX=SHARE``.

    Args:
        rules: The rules, for example ``conv_1=0.5``.

    Returns:
        Pairs of compiled pattern and share, 0 < share <= 1.

    Raises:
        ConfigError: A rule does not have that form, or its share is out of range.
    """
    wanted = []
    for rule in rules:
        pattern, equals, share = rule.rpartition("=")
        try:
            value = float(share)
            if not equals or not 0 < value <= 1:
                raise ValueError
            wanted.append((re.compile(pattern), value))
        except (ValueError, re.error) as error:
            raise ConfigError(
                f"keep: '{rule}' is not REGEX=SHARE, a layer and a number above 0 and up to 1",
                "For example --keep=conv_1=0.5.",
            ) from error
    return wanted


def max_kept(wanted: Wanted, original: tuple[Family, ...], now: tuple[Family, ...]) -> np.ndarray:
    """Return the maximum number of groups each family may keep.

    Args:
        wanted: Patterns and shares from :func:`shares_asked`.
        original: Families of the original model. Shares refer to their sizes.
        now: Families of the current model.

    Returns:
        float64, shape (families,), in the order of ``now``.

    Raises:
        ConfigError: A pattern matches no layer whose channels can be removed.
    """
    names = {name for family in original for name in family.layers}
    for pattern, _ in wanted:
        if not any(pattern.search(name) for name in names):
            raise ConfigError(
                f"keep: '{pattern.pattern}' names no layer whose channels can be removed",
                f"These can: {', '.join(sorted(names)) or 'none'}.",
            )
    sizes = {family.layers: family.size for family in original}
    found = []
    for family in now:
        asked = [share for pattern, share in wanted if any(pattern.search(name) for name in family.layers)]
        found.append(min(asked, default=1.0) * sizes.get(family.layers, family.size))
    return np.asarray(found)

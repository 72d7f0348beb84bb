"""Groups of channels by the layers that make them, and how many of each a user wants to keep."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from tflite_compress.channels.cost import Costs
from tflite_compress.channels.dependencies import Dependencies
from tflite_compress.support.errors import ConfigError

Wanted = list[tuple[re.Pattern[str], float]]


@dataclass(frozen=True)
class Group:
    """Channels that are removed alike.

    Attributes:
        layers: The layers that make them; what only passes them on (BatchNorm, depthwise) is left out.
        size: How many there are.
    """

    layers: tuple[str, ...]
    size: int


def groups(dependencies: Dependencies, costs: Costs) -> tuple[Group, ...]:
    """The groups of ``costs.groups``, in that order, with the layers that make their channels."""
    of_bundle = {int(b): index for index, bundles in enumerate(costs.groups) for b in bundles}
    makers: list[list[str]] = [[] for _ in costs.groups]
    for found in dependencies.layers:
        outs = [axis.labels for axes in found.weights for axis in axes if axis.role == "out"]
        reads = any(axis.role == "in" for axes in found.weights for axis in axes)
        if not outs or not reads:
            continue
        bundles = np.unique(np.concatenate([dependencies.bundles(labels) for labels in outs]))
        for index in dict.fromkeys(of_bundle[int(b)] for b in bundles if b >= 0):
            makers[index].append(found.layer.name)
    return tuple(
        Group(tuple(names), len(bundles)) for names, bundles in zip(makers, costs.groups, strict=True)
    )


def shares_asked(rules: tuple[str, ...]) -> Wanted:
    """Patterns and shares from ``REGEX=SHARE``.

    Raises:
        ConfigError: A rule is not of that form.
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


def max_kept(wanted: Wanted, original: tuple[Group, ...], now: tuple[Group, ...]) -> np.ndarray:
    """How many channels each group may keep.

    Args:
        wanted: Shares by layer.
        original: Groups of the model as it was given; shares are of these.
        now: Groups of the model as it is.

    Returns:
        float64, shape (groups,).

    Raises:
        ConfigError: A rule names no layer that channels can be removed from.
    """
    names = {name for group in original for name in group.layers}
    for pattern, _ in wanted:
        if not any(pattern.search(name) for name in names):
            raise ConfigError(
                f"keep: '{pattern.pattern}' names no layer whose channels can be removed",
                f"These can: {', '.join(sorted(names)) or 'none'}.",
            )
    sizes = {group.layers: group.size for group in original}
    found = []
    for group in now:
        asked = [share for pattern, share in wanted if any(pattern.search(name) for name in group.layers)]
        found.append(min(asked, default=1.0) * sizes.get(group.layers, group.size))
    return np.asarray(found)

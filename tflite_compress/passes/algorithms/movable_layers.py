"""Layers without weights that can be moved from behind a concatenation to each of its parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from tflite_compress.models.keras_types import Layer, Tensor

ELEMENTWISE = frozenset({"Activation", "LeakyReLU", "ReLU", "Rescaling"})
MOVABLE = ELEMENTWISE | {"Permute", "Reshape"}


def is_movable(layer: Layer) -> bool:
    """Return whether a layer of these kinds treats each value alike, or only moves values."""
    config = layer.get_config()
    if type(layer).__name__ == "Rescaling":
        return all(isinstance(config[key], int | float) for key in ("scale", "offset"))
    return config.get("activation") not in ("softmax", "log_softmax")


def moved_axis(
    layer: Layer, before: Sequence[int | None], after: Sequence[int | None], axis: int
) -> int | None:
    """Return the axis of a concatenation behind a layer; None if the layer mixes its parts.

    Args:
        layer: A movable layer.
        before: Shape of the concatenation; the first axis is the batch.
        after: Shape behind the layer.
        axis: Axis of the concatenation.
    """
    kind = type(layer).__name__
    if kind == "Permute":
        return int(layer.get_config()["dims"].index(axis)) + 1 if axis else 0
    if kind != "Reshape":
        return axis
    old, new = [size or 0 for size in before[1:]], [size or 0 for size in after[1:]]
    if axis == 0 or 0 in old or 0 in new:
        return None
    outer, inner = math.prod(old[: axis - 1]), math.prod(old[axis:])
    fits = (
        place
        for place in range(len(new))
        if math.prod(new[:place]) == outer and math.prod(new[place + 1 :]) == inner
    )
    place = next(fits, None)
    return None if place is None else place + 1


def move_behind(layer: Layer, tensor: Tensor, shape: Sequence[int | None]) -> Tensor:
    """Return what a copy of a layer makes of a part.

    Args:
        layer: A movable layer.
        tensor: The part.
        shape: Shape of the result.
    """
    config = layer.get_config()
    config["name"] = f"{layer.name}_of_{getattr(tensor, '_keras_history')[0].name}"  # noqa: B009
    if type(layer).__name__ == "Reshape":
        config["target_shape"] = tuple(shape[1:])
    return cast("Tensor", type(layer).from_config(config)(tensor))

"""Choose the types of a forest's tables, so that the runtime can look them up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.subtrees import Subtrees

_INT8_MAX, _INT16_MAX = 127, 32767


@dataclass(frozen=True)
class Widths:
    """What the shapes and types of tables depend on.

    Attributes:
        micro: The runtime looks up only float32 and int8 tables.
        batch: Samples per run.
        missing: NaN is handled as in the forest.
    """

    micro: bool
    batch: int
    missing: bool


def store_compactly(values: np.ndarray, micro: bool, whole: bool) -> np.ndarray:
    """Return numbers in the smallest type that stores them exactly and can be looked up.

    Args:
        values: Numbers of any shape.
        micro: Use only float32 and int8.
        whole: The numbers are integers.
    """
    if not whole:
        return values.astype(np.float32)
    most, least = (values.max(initial=0), values.min(initial=0))
    if least >= -128 and most <= _INT8_MAX:
        return values.astype(np.int8)
    if micro:
        return values.astype(np.float32)
    return values.astype(np.int16 if -most <= _INT16_MAX >= most and least >= -32768 else np.int32)


def cast_tensor(
    graph: Assembly, tensor: int, name: str, shape: tuple[int, ...], source: str, wanted: str
) -> int:
    """Add a CAST operator and return its output; return the tensor if it has the wanted type."""
    if source == wanted:
        return tensor
    return graph.operator("CAST", [tensor], name, shape, wanted, graph.options("CastOptions"))


def split_columns(forest: Forest, parts: Subtrees, widths: Widths) -> np.ndarray:
    """Return the column of the scaled samples that each split reads; see ``export``."""
    aside = parts.missing_right & widths.missing & forest.sends_missing_right
    return np.asarray(parts.feature + np.where(aside, forest.features, 0), np.int32)

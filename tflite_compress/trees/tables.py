"""In which type a table of a forest is stored, so that the runtime can look it up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.trees.forest import Forest
from tflite_compress.trees.subtrees import Subtrees

_INT8_MOST, _INT16_MOST = 127, 32767


@dataclass(frozen=True)
class Widths:
    """What decides the shapes and types of tables.

    Attributes:
        micro: Only float32 and int8 can be looked up.
        batch: Samples at a time.
        missing: NaN goes where the forest sends it.
    """

    micro: bool
    batch: int
    missing: bool


def stored(values: np.ndarray, micro: bool, whole: bool) -> np.ndarray:
    """Numbers in the smallest type that holds them exactly and can be looked up.

    Args:
        values: Any shape.
        micro: Only float32 and int8 will do.
        whole: They are whole numbers.
    """
    if not whole:
        return values.astype(np.float32)
    most, least = (values.max(initial=0), values.min(initial=0))
    if least >= -128 and most <= _INT8_MOST:
        return values.astype(np.int8)
    if micro:
        return values.astype(np.float32)
    return values.astype(np.int16 if -most <= _INT16_MOST >= most and least >= -32768 else np.int32)


def cast(graph: Assembly, tensor: int, name: str, shape: tuple[int, ...], source: str, wanted: str) -> int:
    """The tensor in another type; itself where it has it already."""
    if source == wanted:
        return tensor
    return graph.operator("CAST", [tensor], name, shape, wanted, graph.options("CastOptions"))


def columns_of(forest: Forest, parts: Subtrees, widths: Widths) -> np.ndarray:
    """The column of the samples as seen that each split looks at; see ``export``."""
    aside = parts.missing_right & widths.missing & forest.sends_missing_right
    return np.asarray(parts.feature + np.where(aside, forest.features, 0), np.int32)

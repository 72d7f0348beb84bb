"""Choose the operators of the network graph, with their times and errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tflite_compress.inspection.operator_rows import OperatorRow, read_operator_rows
from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.layer_names import NO_LAYERS, LayerTable

NO_ERRORS: Mapping[tuple[str, str], float] = {}
NO_TIMES: Mapping[int, float] = {}


def read_operators(
    content: bytes,
    layers: LayerTable = NO_LAYERS,
    times: Mapping[int, float] = NO_TIMES,
    noise: Mapping[tuple[str, str], float] = NO_ERRORS,
) -> tuple[NetworkOperator, ...]:
    """Read the operators of a file's main graph; see :func:`network_operators`.

    Args:
        content: A ``.tflite``.
        layers: The layers of the Keras model, for their names.
        times: Median time in ms by index of the operator.
        noise: Noise that quantization adds, by layer and operator, relative to the output.
    """
    rows = [row for row in read_operator_rows(read_tree(content), layers) if row.graph == 0]
    return network_operators(rows, times, noise)


def network_operators(
    rows: Sequence[OperatorRow],
    times: Mapping[int, float] = NO_TIMES,
    noise: Mapping[tuple[str, str], float] = NO_ERRORS,
) -> tuple[NetworkOperator, ...]:
    """Return the operators of one graph without those that only unpack constants.

    What is left out is counted with the operator that reads it first.

    Args:
        rows: The operators of one subgraph.
        times: Median time in ms by index of the operator.
        noise: Noise that quantization adds, by layer and operator, relative to the output.
    """
    first = rows[0].index if rows else 0
    shown = [row for row in rows if not row.is_unpacking]
    makers = {tensor: place for place, row in enumerate(shown) for tensor in row.outputs}
    waiting = {tensor: row for row in rows if row.is_unpacking for tensor in row.outputs}
    found = []
    for row in shown:
        found.append(
            NetworkOperator(
                index=row.index - first,
                operator=row.name,
                layer=row.layer or None,
                type=row.type or None,
                weight_type=row.weight_type,
                shape=row.shape,
                other_shapes=tuple(s for s in dict.fromkeys(row.output_shapes) if s != row.shape),
                bytes=row.weight_bytes,
                macs=row.macs,
                ms=times.get(row.index),
                added_noise=_finite(noise.get((row.layer, row.name))),
                inputs=tuple(sorted({makers[t] for t in row.inputs if t in makers})),
                unpacks=_count_unpacking(row, waiting),
            )
        )
    return tuple(found)


def _count_unpacking(row: OperatorRow, waiting: dict[int, OperatorRow]) -> int:
    """Count and take the operators that unpack what a row reads; one may unpack what another one unpacked."""
    count, tensors = 0, list(row.inputs)
    while tensors:
        maker = waiting.pop(tensors.pop(), None)
        if maker is not None:
            count += 1
            tensors += maker.inputs
    return count


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

"""Divide the bytes of a ``.tflite`` by purpose.

Vectors and strings are identified by their offset in the file, so that shared ones count once.
Source of the layout: ``schema.fbs`` and the FlatBuffers internals documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tflite_compress.tflite.flatbuffer import schema

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated
    from flatbuffers.table import Table


class _Table(Protocol):
    """A table of the generated reader."""

    _tab: Table


WEIGHTS = "weights"
OTHER = "other constants"
QUANTIZATION = "quantization parameters"
NAMES = "names"
METADATA = "metadata"
STRUCTURE = "structure"
PARTS = (WEIGHTS, OTHER, QUANTIZATION, NAMES, METADATA, STRUCTURE)

# Slots of the fields that hold vectors, and bytes of an element.
_BUFFER_DATA = (4, 1)
_QUANTIZATION = ((4, 4), (6, 4), (8, 4), (10, 8))  # min, max, scale, zero point
_LENGTH_BYTES = 4


def measure_parts(content: bytes, weight_buffers: frozenset[int]) -> dict[str, int]:
    """Return the bytes of a file by purpose; they add up to the file.

    Args:
        content: A valid ``.tflite``.
        weight_buffers: Indices of the buffers with weights of operators.

    Returns:
        Bytes for each of :data:`PARTS`. ``structure`` is the rest: tables, shapes, lists, padding.
    """
    model = schema().Model.GetRootAs(content)
    metadata = {model.Metadata(i).Buffer() for i in range(model.MetadataLength())}
    spans: dict[int, tuple[str, int]] = {}
    for index in range(model.BuffersLength()):
        kind = METADATA if index in metadata else WEIGHTS if index in weight_buffers else OTHER
        buffer = model.Buffers(index)
        _note(spans, buffer, *_BUFFER_DATA, kind)
        if buffer.Offset() > 1:  # stored behind the flatbuffer
            spans.setdefault(buffer.Offset(), (kind, buffer.Size()))
    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        _note(spans, graph, 12, 1, NAMES)
        for index in range(graph.TensorsLength()):
            tensor = graph.Tensors(index)
            _note(spans, tensor, 10, 1, NAMES)
            quantization = tensor.Quantization()
            for slot, size in _QUANTIZATION if quantization is not None else ():
                _note(spans, quantization, slot, size, QUANTIZATION)
    _note(spans, model, 10, 1, NAMES)  # description
    for index in range(model.MetadataLength()):
        _note(spans, model.Metadata(index), 4, 1, METADATA)
    for index in range(model.SignatureDefsLength()):
        _note_signature(spans, model.SignatureDefs(index))
    found = dict.fromkeys(PARTS, 0)
    for kind, size in spans.values():
        found[kind] += size
    found[STRUCTURE] = len(content) - sum(found.values())
    return found


def _note_signature(spans: dict[int, tuple[str, int]], signature: schema_py_generated.SignatureDef) -> None:
    _note(spans, signature, 8, 1, NAMES)
    for entries, count in (
        (signature.Inputs, signature.InputsLength()),
        (signature.Outputs, signature.OutputsLength()),
    ):
        for index in range(count):
            _note(spans, entries(index), 4, 1, NAMES)


def _note(spans: dict[int, tuple[str, int]], table: _Table, slot: int, element_bytes: int, kind: str) -> None:
    """Record the vector or string in a field, if there is one."""
    offset = table._tab.Offset(slot)
    if offset:
        size = table._tab.VectorLen(offset) * element_bytes + _LENGTH_BYTES
        spans.setdefault(table._tab.Vector(offset), (kind, size))

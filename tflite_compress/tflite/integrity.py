"""Validate a ``.tflite`` before native code reads it.

The interpreters check little and crash on an offset or index out of range. ``validate`` follows every offset
within the file, those of data behind the flatbuffer included, and compares every index with the size of the
list it points into.
Sources: ``schema.fbs`` of TensorFlow Lite and the FlatBuffers internals documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tflite_compress.support.errors import ConversionError, ModelError
from tflite_compress.tflite.flatbuffer import FILE_IDENTIFIER, element_bytes, operator_name, read_tree
from tflite_compress.tflite.tree import Buffer, ModelTree, Operator, Tensor, shape_of

LARGEST_FILE = 2**31 - 1  # offsets are 32 bits wide, signed in places
MAX_TABLES = 1_000_000
MAX_ELEMENTS = 2**31 - 1

# Fields that hold offsets, by slot. Value: "text", the name of a table, the bytes per element of a vector,
# or a list with the table of a vector's elements. The fields of an "any" table are not followed.
_Field = str | int | list[str]
_TABLES: dict[str, dict[int, _Field]] = {
    "Model": {
        1: ["OperatorCode"],
        2: ["SubGraph"],
        3: "text",
        4: ["Buffer"],
        5: 4,
        6: ["Metadata"],
        7: ["SignatureDef"],
    },
    "OperatorCode": {1: "text"},
    "SubGraph": {0: ["Tensor"], 1: 4, 2: 4, 3: ["Operator"], 4: "text"},
    "Tensor": {0: 4, 3: "text", 4: "Quantization", 6: "any", 7: 4, 9: ["any"]},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8, 5: "any"},
    "Operator": {1: 4, 2: 4, 4: "any", 5: 1, 7: 1, 8: 4, 12: "any"},
    "Buffer": {0: 1},
    "Metadata": {0: "text"},
    "SignatureDef": {0: ["TensorMap"], 1: ["TensorMap"], 2: "text", 3: "text"},
    "TensorMap": {0: "text"},
    "any": {},
}


class _DamagedError(Exception):
    """The file is damaged; the message says where."""


def read_validated(path: Path | str) -> bytes:
    """Read a ``.tflite`` and validate it.

    Args:
        path: The file.

    Returns:
        The file's bytes.

    Raises:
        ModelError: The file is missing, is not a ``.tflite``, or is damaged; the message says where.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ModelError(f"{path}: is a folder, not a .tflite file", "Name a file in it.")
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{path}: larger than 2 GB", "Use a model under 2 GB.")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error
    try:
        validate(content)
    except ModelError as error:
        raise ModelError(f"{path}: {error.message}", error.hint) from error
    return content


def validate(content: bytes) -> ModelTree:
    """Check that a flatbuffer is well formed: its offsets, indices, shapes and data sizes.

    Args:
        content: The file's bytes.

    Returns:
        The decoded tree, which other readers share: it must not be changed.

    Raises:
        ModelError: The bytes are not a ``.tflite``, or are damaged.
    """
    if len(content) < 8 or content[4:8] != FILE_IDENTIFIER:
        raise ModelError("not a .tflite file", "Convert the model first: tflite-compress compress.")
    try:
        _Walk(content).table(_u32(content, 0), "Model")
        model = read_tree(content)
        _check_indices(model)
    except ConversionError as error:
        raise ModelError(f"damaged .tflite: {error.message}", error.hint) from error
    except _DamagedError as error:
        raise ModelError(f"damaged .tflite: {error}", "Copy or convert the model again.") from error
    except (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ModelError(
            "damaged .tflite: its tables do not match", "Copy or convert the model again."
        ) from error
    return model


def _u32(content: bytes, at: int) -> int:
    if at < 0 or at + 4 > len(content):
        raise _DamagedError(f"an offset points to byte {at}, the file has {len(content)}")
    return int(struct.unpack_from("<I", content, at)[0])


class _Walk:
    """Follows every offset of a flatbuffer, up to a maximum number of tables."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._visited = 0
        self._seen: set[tuple[int, str]] = set()

    def table(self, at: int, kind: str) -> None:
        """Check one table and all tables it refers to."""
        if (at, kind) in self._seen:
            return
        self._seen.add((at, kind))
        self._count(1)
        size = len(self._content)
        vtable = at - struct.unpack("<i", struct.pack("<I", _u32(self._content, at)))[0]
        if vtable < 0 or vtable + 4 > size:
            raise _DamagedError(f"table {kind} at byte {at} has its field list outside the file")
        length, extent = struct.unpack_from("<HH", self._content, vtable)
        if length < 4 or vtable + length > size or at + extent > size:
            raise _DamagedError(f"table {kind} at byte {at} reaches beyond the end of the file")
        for slot, field in _TABLES[kind].items():
            entry = 4 + 2 * slot
            if entry + 2 > length:
                continue
            offset = struct.unpack_from("<H", self._content, vtable + entry)[0]
            if offset:
                place = at + offset
                self._field(place + _u32(self._content, place), field)

    def _field(self, at: int, field: _Field) -> None:
        if field == "text":
            self._vector(at, 1)
        elif isinstance(field, str):
            self.table(at, field)
        elif isinstance(field, int):
            self._vector(at, field)
        else:
            for index in range(self._vector(at, 4)):
                place = at + 4 + 4 * index
                self.table(place + _u32(self._content, place), field[0])

    def _vector(self, at: int, width: int) -> int:
        count = _u32(self._content, at)
        if at + 4 + count * width > len(self._content):
            raise _DamagedError(f"a list of {count} entries at byte {at} reaches beyond the end of the file")
        if width == 4:
            self._count(count // 64)
        return count

    def _count(self, more: int) -> None:
        self._visited += more
        if self._visited > MAX_TABLES:
            raise _DamagedError(f"more than {MAX_TABLES} tables")


# The number of inputs that the rest of the package reads, and (index of an input, its minimum rank).
_MIN_INPUTS = {
    **dict.fromkeys("CONV_2D CONV_3D DEPTHWISE_CONV_2D FULLY_CONNECTED BATCH_MATMUL".split(), 2),
    **dict.fromkeys("DEQUANTIZE QUANTIZE RESHAPE SQUEEZE EXPAND_DIMS".split(), 1),
    **dict.fromkeys("UNIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_LSTM".split(), 2),
    **dict.fromkeys("UNIDIRECTIONAL_SEQUENCE_RNN BIDIRECTIONAL_SEQUENCE_RNN".split(), 2),
    **dict.fromkeys("TRANSPOSE_CONV CONV_3D_TRANSPOSE SVDF LSTM".split(), 3),
    "RNN": 2,
}
_MIN_RANK = {
    **dict.fromkeys("CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV".split(), (1, 4)),
    **dict.fromkeys("UNIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_LSTM".split(), (0, 2)),
    **dict.fromkeys("UNIDIRECTIONAL_SEQUENCE_RNN BIDIRECTIONAL_SEQUENCE_RNN".split(), (0, 2)),
    **dict.fromkeys("CONV_3D CONV_3D_TRANSPOSE".split(), (1, 5)),
    "FULLY_CONNECTED": (1, 1),
    "BATCH_MATMUL": (0, 1),
}


def _check_indices(model: ModelTree) -> None:
    """Check the indices of all tensors, operators, signatures and metadata."""
    buffers, codes = model.buffers or [], model.operatorCodes or []
    if not model.subgraphs:
        raise _DamagedError("it has no graph")
    for number, graph in enumerate(model.subgraphs):
        where = f"graph {number}"
        tensors = graph.tensors if graph.tensors is not None else []
        for index, tensor in enumerate(tensors):
            _check_tensor(tensor, buffers, f"{where}, tensor {index}")
        _within(graph.inputs, 0, len(tensors), f"{where}: inputs")
        _within(graph.outputs, 0, len(tensors), f"{where}: outputs")
        for index, op in enumerate(graph.operators or []):
            place = f"{where}, operator {index}"
            _within([op.opcodeIndex], 0, len(codes), f"{place}: its kind")
            _within(op.inputs, -1, len(tensors), f"{place}: inputs")
            _within(op.outputs, 0, len(tensors), f"{place}: outputs")
            _within(op.intermediates, -1, len(tensors), f"{place}: intermediates")
            _check_operator(operator_name(model, op), op, tensors, place)
    for signature in model.signatureDefs or []:
        _within([signature.subgraphIndex], 0, len(model.subgraphs), "signature: graph")
        tensors = model.subgraphs[signature.subgraphIndex].tensors or []
        for entry in [*(signature.inputs or []), *(signature.outputs or [])]:
            _within([entry.tensorIndex], 0, len(tensors), "signature: tensor")
    for metadata in model.metadata or []:
        _within([metadata.buffer], 0, len(buffers), "metadata: buffer")


def _check_operator(name: str, op: Operator, tensors: Sequence[Tensor], place: str) -> None:
    """Check that an operator has the inputs, outputs and ranks that its kind requires."""
    least = _MIN_INPUTS.get(name, 0)
    if not least:
        return
    if op.inputs is None or len(op.inputs) < least or op.outputs is None or not len(op.outputs):
        raise _DamagedError(f"{place}: {name} without its inputs or outputs")
    if any(int(i) < 0 for i in op.inputs[:least]):
        raise _DamagedError(f"{place}: {name} without one of its first {least} inputs")
    index, rank = _MIN_RANK.get(name, (0, 0))
    if rank and len(shape_of(tensors[int(op.inputs[index])])) < rank:
        raise _DamagedError(f"{place}: input {index} of {name} has fewer than {rank} dimensions")


def _check_tensor(tensor: Tensor, buffers: Sequence[Buffer], where: str) -> None:
    """Check that the shape, data and scales of a tensor match."""
    _within([tensor.buffer], 0, len(buffers), f"{where}: buffer")
    shape = list(shape_of(tensor))
    if any(d < -1 for d in shape):
        raise _DamagedError(f"{where}: a negative dimension in {shape}")
    elements = 1
    for d in shape:
        elements *= max(d, 1)
    if elements > MAX_ELEMENTS:
        raise _DamagedError(f"{where}: {elements} elements are more than any runtime takes")
    data = buffers[tensor.buffer].data
    width = element_bytes(tensor.type)
    if data is not None and len(data) and width and tensor.sparsity is None:
        needed = int(np.ceil(elements * width)) if all(shape) else 0
        if len(data) < needed:
            raise _DamagedError(f"{where}: {len(data)} bytes of data for a shape of {shape}")
    quantization = tensor.quantization
    if quantization is None:
        return
    scales = quantization.scale
    if scales is not None and len(scales) > 1:
        axis = quantization.quantizedDimension
        if not 0 <= axis < len(shape) or len(scales) != shape[axis]:
            raise _DamagedError(f"{where}: {len(scales)} scales do not fit a shape of {shape}")
        if len(quantization.zeroPoint if quantization.zeroPoint is not None else []) not in (1, len(scales)):
            raise _DamagedError(f"{where}: zero points and scales differ in number")


def _within(indices: Iterable[int] | None, low: int, high: int, what: str) -> None:
    for index in [] if indices is None else indices:
        if not low <= int(index) < high:
            raise _DamagedError(f"{what} refers to number {index} of {high}")

"""Read and write the ``.tflite`` flatbuffer with the generated schema's object API."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.support.errors import ConversionError
from tflite_compress.tflite.tree import Buffer, ModelTree, Operator, Tensor

if TYPE_CHECKING:
    import flatbuffers

FILE_IDENTIFIER = b"TFL3"
FOREST_DESCRIPTION = "decision trees"  # how the description of a file made from a forest ends
_PACKED_BYTES = {"INT4": 0.5, "UINT4": 0.5, "INT2": 0.25}
_NUMPY_TYPES: dict[str, type] = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "FLOAT64": np.float64,
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "UINT16": np.uint16,
    "INT32": np.int32,
    "UINT32": np.uint32,
    "INT64": np.int64,
    "UINT64": np.uint64,
    "BOOL": np.bool_,
    "COMPLEX64": np.complex64,
}
BUFFER_ALIGNMENT = 16  # schema.fbs: force_align 16, which the generated Python packer ignores


def schema() -> ModuleType:
    """Return the generated schema module; importing it takes 0.3 s."""
    from ai_edge_litert import schema_py_generated

    module: ModuleType = schema_py_generated
    return module


def unpack(content: bytes) -> ModelTree:
    """Decode a ``.tflite`` into a mutable tree.

    Data that the file stores behind the flatbuffer (files over 2 GB) are read into the tree.

    Raises:
        ConversionError: The bytes are not a ``.tflite``, or refer to data outside the file.
    """
    if content[4:8] != FILE_IDENTIFIER:
        raise ConversionError(
            "the converter returned bytes that are not a .tflite file",
            "Choose another recipe for this model.",
        )
    generated = schema()
    model: ModelTree = generated.ModelT.InitFromObj(generated.Model.GetRootAs(content))
    _read_external_data(model, content)
    return model


@functools.lru_cache(maxsize=4)
def read_tree(content: bytes) -> ModelTree:
    """Decode a ``.tflite`` into a tree that several readers share. It must not be changed.

    Raises:
        ConversionError: The bytes are not a ``.tflite``, or refer to data outside the file.
    """
    return unpack(content)


def _read_external_data(model: ModelTree, content: bytes) -> None:
    """Replace offsets into the file by the bytes there. ``schema.fbs``: an offset is valid if over 1."""
    for number, buffer in enumerate(model.buffers or []):
        if buffer.offset > 1:
            stored = _external_bytes(content, buffer.offset, buffer.size, f"buffer {number}")
            buffer.data = stored if buffer.data is None or len(buffer.data) == 0 else buffer.data
            buffer.offset = buffer.size = 0
    for graph in model.subgraphs or []:
        for number, op in enumerate(graph.operators or []):
            offset, size = op.largeCustomOptionsOffset, op.largeCustomOptionsSize
            if offset > 1:
                stored = _external_bytes(content, offset, size, f"operator {number}, large custom options")
                inline = op.customOptions is not None and len(op.customOptions)
                op.customOptions = op.customOptions if inline else stored
                op.largeCustomOptionsOffset = op.largeCustomOptionsSize = 0


def _external_bytes(content: bytes, offset: int, size: int, what: str) -> np.ndarray:
    """Bytes of a file as a uint8 array, shape (size,)."""
    if offset + size > len(content):
        raise ConversionError(
            f"{what}: bytes {offset:,} to {offset + size:,} are outside the file of {len(content):,} bytes",
            "Copy or convert the model again.",
        )
    return np.frombuffer(content, np.uint8, size, offset)


def pack(model: ModelTree) -> bytes:
    """Encode a tree as a ``.tflite``, with every buffer aligned to 16 bytes as ``schema.fbs`` requires.

    Equal vectors and strings are stored once: the zero points of a per-channel model are thousands of zeros.
    """
    originals = model.buffers
    model.buffers = [_align(buffer) for buffer in originals]  # type: ignore[misc]
    builder = _sharing_builder()
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    model.buffers = originals
    return bytes(builder.Output())


def operator_name(model: ModelTree, operator: Operator) -> str:
    """Return an operator's name in ``schema.fbs`` (``CONV_2D``), or its custom name."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if number == schema().BuiltinOperator.CUSTOM:
        return text_of(code.customCode)
    return _operator_names().get(number, f"BUILTIN_{number}")


def is_builtin(name: str) -> bool:
    """Return True for the name of a builtin operator in ``schema.fbs``; False for a custom operator's."""
    return name != "CUSTOM" and name in _members(schema().BuiltinOperator)


def builtin_names() -> tuple[str, ...]:
    """Return the names of all builtin operators in ``schema.fbs``."""
    return tuple(name for name in _members(schema().BuiltinOperator) if is_builtin(name))


def operator_names(content: bytes) -> list[str]:
    """Return the names of all operators of all subgraphs, in order of execution."""
    model = read_tree(content)
    return [operator_name(model, op) for graph in model.subgraphs for op in graph.operators or []]


def tensor_name(tensor: Tensor) -> str:
    """Return a tensor's name; an empty string if it has none."""
    return text_of(tensor.name)


def type_name(number: int) -> str:
    """Return the name of a tensor type in ``schema.fbs`` (``INT8``)."""
    return _type_names().get(number, f"TYPE_{number}")


def numpy_type(name: str) -> type:
    """Return the NumPy type for a tensor type's name; uint8 for types that NumPy lacks."""
    return _NUMPY_TYPES.get(name, np.uint8)


def element_bytes(number: int) -> float:
    """Return the bytes per element of a tensor type; 0 for types whose elements vary in size."""
    name = type_name(number)
    if name in _PACKED_BYTES:
        return _PACKED_BYTES[name]
    return float(np.dtype(_NUMPY_TYPES[name]).itemsize) if name in _NUMPY_TYPES else 0.0


@functools.cache
def _type_names() -> dict[int, str]:
    return {number: name for name, number in _members(schema().TensorType).items()}


@functools.cache
def _operator_names() -> dict[int, str]:
    return {number: name for name, number in _members(schema().BuiltinOperator).items()}


@functools.cache
def _members(enumeration: type) -> dict[str, int]:
    """Return the members of an enumeration of the schema; Python 3.13 adds ``__firstlineno__`` to classes."""
    values = vars(enumeration).items()
    return {name: value for name, value in values if isinstance(value, int) and not name.startswith("__")}


def text_of(value: bytes | str | None) -> str:
    """Return a string of a file as text; bytes that are not UTF-8 become replacement characters."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _sharing_builder() -> flatbuffers.Builder:
    """Return a flatbuffer builder that stores equal vectors and strings once."""
    import flatbuffers

    class Sharing(flatbuffers.Builder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(1 << 16)
            self._written: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802
            key = (x.dtype.str, x.tobytes())
            if key not in self._written:
                self._written[key] = super().CreateNumpyVector(x)
            return self._written[key]

        def CreateString(self, s: str | bytes, *args: str, **kwargs: str) -> int:  # noqa: N802
            key = ("text", s.encode() if isinstance(s, str) else bytes(s))
            if key not in self._written:
                self._written[key] = super().CreateString(s, *args, **kwargs)
            return self._written[key]

    return Sharing()


def _align(buffer: Buffer) -> Buffer | _AlignedBuffer:
    """Return a replacement for a ``BufferT`` that packs its data on a 16-byte boundary."""
    data = buffer.data
    if data is None or len(data) == 0:
        return buffer
    return _AlignedBuffer(np.asarray(data, dtype=np.uint8).tobytes())


class _AlignedBuffer:
    """One buffer's bytes, with the method that the generated ``ModelT.Pack`` calls."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802  (name used by the generated code)
        """Write the bytes as an aligned vector, and the table that refers to it."""
        generated = schema()
        builder.StartVector(1, len(self._data), BUFFER_ALIGNMENT)
        builder.head -= len(self._data)
        builder.Bytes[builder.head : builder.head + len(self._data)] = self._data
        vector = builder.EndVector()
        generated.BufferStart(builder)
        generated.BufferAddData(builder, vector)
        return int(generated.BufferEnd(builder))

"""Types of a decoded ``.tflite``: the tables of ``schema.fbs`` as the generated object API holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np

if TYPE_CHECKING:
    import flatbuffers


class IntVector(Protocol):
    """A vector of integers: a list, or a NumPy array of shape (n,)."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    @overload
    def __getitem__(self, index: int, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> IntVector: ...


class FloatVector(Protocol):
    """A vector of floats: a list, or a NumPy array of shape (n,)."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[float]: ...
    def __getitem__(self, index: int, /) -> float: ...


class Quantization(Protocol):
    """``QuantizationParameters``: one scale and zero point per tensor or per channel."""

    min: FloatVector | None
    max: FloatVector | None
    scale: FloatVector | None
    zeroPoint: IntVector | None
    quantizedDimension: int


class Buffer(Protocol):
    """``Buffer``: bytes of a constant, uint8, shape (n,)."""

    data: np.ndarray | None
    offset: int
    size: int


class Tensor(Protocol):
    """``Tensor``."""

    name: bytes | str | None
    shape: IntVector | None
    shapeSignature: IntVector | None
    type: int
    buffer: int
    quantization: Quantization | None
    isVariable: bool
    sparsity: object | None


class Operator(Protocol):
    """``Operator``."""

    opcodeIndex: int
    inputs: IntVector
    outputs: IntVector
    intermediates: IntVector | None
    builtinOptionsType: int
    builtinOptions: object | None
    customOptions: np.ndarray | None
    largeCustomOptionsOffset: int
    largeCustomOptionsSize: int


class OperatorCode(Protocol):
    """``OperatorCode``."""

    builtinCode: int
    deprecatedBuiltinCode: int
    customCode: bytes | str | None
    version: int


class Graph(Protocol):
    """``SubGraph``."""

    name: bytes | str | None
    tensors: list[Tensor]
    operators: list[Operator]
    inputs: IntVector
    outputs: IntVector


class MetadataEntry(Protocol):
    """``Metadata``: a name and the buffer that holds the value."""

    name: bytes | str | None
    buffer: int


class TensorMap(Protocol):
    """``TensorMap``: an input's or output's name in a signature."""

    name: bytes | str | None
    tensorIndex: int


class SignatureDef(Protocol):
    """``SignatureDef``."""

    inputs: list[TensorMap] | None
    outputs: list[TensorMap] | None
    signatureKey: bytes | str | None
    subgraphIndex: int


class ModelTree(Protocol):
    """``Model``: the root of the tree."""

    version: int
    description: bytes | str | None
    operatorCodes: list[OperatorCode]
    subgraphs: list[Graph]
    buffers: list[Buffer]
    metadata: list[MetadataEntry] | None
    metadataBuffer: IntVector | None
    signatureDefs: list[SignatureDef] | None

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802
        """Write the tree and return its offset."""


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """Return a tensor's shape as recorded; an empty tuple if the file records none."""
    return () if tensor.shape is None else tuple(int(d) for d in tensor.shape)


def read_scales(tensor: Tensor) -> np.ndarray:
    """Return a tensor's quantization scales, float32, shape (n,); n is 0 if it has none."""
    quantization = tensor.quantization
    scales = None if quantization is None else quantization.scale
    return np.zeros(0, np.float32) if scales is None else np.asarray(scales)


def set_scales(tensor: Tensor, scales: np.ndarray) -> None:
    """Replace the scales of a quantized tensor.

    Raises:
        ValueError: The tensor is not quantized.
    """
    if tensor.quantization is None:
        raise ValueError("the tensor has no quantization parameters")
    tensor.quantization.scale = scales

"""Inputs and outputs of a ``.tflite``: names, shapes, types, scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.flatbuffer import numpy_type, tensor_name, text_of, type_name, unpack

LARGEST_SCALE = 1e28  # 64-bit steps times this still are float32 numbers


@dataclass(frozen=True)
class FileTensorSpec:
    """One input or output.

    Attributes:
        name: Its name in the signature, else the tensor's own.
        tensor: Index of the tensor.
        shape: As in the file; a free dimension is -1.
        type: Name of the type as in ``schema.fbs`` (``INT8``).
        scale: Of a quantized tensor; 0 where there is none.
        zero_point: Likewise.
    """

    name: str
    tensor: int
    shape: tuple[int, ...]
    type: str
    scale: float
    zero_point: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type for it."""
        return np.dtype(numpy_type(self.type))

    @property
    def is_quantized(self) -> bool:
        """True for integers that stand for real numbers."""
        return self.scale != 0 and self.dtype.kind in "iu"

    @property
    def fixed_shape(self) -> tuple[int, ...]:
        """The shape with free dimensions as 1."""
        return tuple(max(1, d) for d in self.shape)

    def to_raw(self, values: np.ndarray) -> np.ndarray:
        """Bring real numbers to the tensor's type: quantized (round to nearest even, clipped), or cast."""
        if self.is_quantized:
            info = np.iinfo(self.dtype)
            steps = np.rint(np.asarray(values, np.float32) / np.float32(self.scale)) + self.zero_point
            return np.asarray(np.clip(steps, info.min, info.max), self.dtype)
        return np.asarray(values).astype(self.dtype)

    def to_real(self, raw: np.ndarray) -> np.ndarray:
        """Undo :meth:`to_raw`; float32 for quantized tensors."""
        if self.is_quantized:
            real = (np.asarray(raw, np.float32) - self.zero_point) * np.float32(self.scale)
            return np.asarray(real, np.float32)
        return np.asarray(raw)


@dataclass(frozen=True)
class Signature:
    """All inputs and outputs, in the order of the main graph."""

    inputs: tuple[FileTensorSpec, ...]
    outputs: tuple[FileTensorSpec, ...]


def read_signature(model: bytes | Any) -> Signature:
    """Inputs and outputs of a file, or of its decoded tree."""
    tree = unpack(model) if isinstance(model, bytes) else model
    graph = tree.subgraphs[0]
    return Signature(_ports(tree, graph, "inputs"), _ports(tree, graph, "outputs"))


def _ports(tree: Any, graph: Any, which: str) -> tuple[FileTensorSpec, ...]:
    names = {
        int(entry.tensorIndex): text_of(entry.name)
        for signature in tree.signatureDefs or []
        if signature.subgraphIndex == 0
        for entry in getattr(signature, which) or []
    }
    indices = getattr(graph, which)
    return tuple(_port(graph.tensors[i], int(i), names) for i in ([] if indices is None else indices))


def _port(tensor: Any, index: int, names: dict[int, str]) -> FileTensorSpec:
    quantization = tensor.quantization
    scales = None if quantization is None else quantization.scale
    points = None if quantization is None else quantization.zeroPoint
    signature = tensor.shapeSignature
    shape = signature if signature is not None and len(signature) else tensor.shape
    name = names.get(index) or tensor_name(tensor) or f"tensor_{index}"
    scale = float(scales[0]) if scales is not None and len(scales) else 0.0
    if not 0 <= scale < LARGEST_SCALE:
        raise ModelError(f"'{name}' has the scale {scale:g}: the file is damaged", "Convert the model again.")
    return FileTensorSpec(
        name,
        index,
        tuple(int(d) for d in ([] if shape is None else shape)),
        type_name(tensor.type),
        scale,
        int(points[0]) if points is not None and len(points) else 0,
    )

"""Inputs and outputs of a ``.tflite``: names, shapes, types and quantization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.flatbuffer import numpy_type, read_tree, tensor_name, text_of, type_name
from tflite_compress.tflite.tree import Graph, ModelTree, Tensor, shape_of

MAX_SCALE = 1e28  # 64-bit integers times this scale are still float32 numbers


@dataclass(frozen=True)
class FileTensorSpec:
    """An input or output of a ``.tflite``.

    Attributes:
        name: Its name in the signature, else the tensor's name.
        tensor: Index of the tensor in the main graph.
        shape: Its shape in the file; an open dimension is -1.
        type: Name of its type in ``schema.fbs`` (``INT8``).
        scale: Quantization scale; 0 if it is not quantized.
        zero_point: Quantization zero point; 0 if it is not quantized.
    """

    name: str
    tensor: int
    shape: tuple[int, ...]
    type: str
    scale: float
    zero_point: int

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype of its values."""
        return np.dtype(numpy_type(self.type))

    @property
    def is_quantized(self) -> bool:
        """True for integers that represent real numbers."""
        return self.scale != 0 and self.dtype.kind in "iu"

    @property
    def fixed_shape(self) -> tuple[int, ...]:
        """The shape with open dimensions set to 1."""
        return tuple(max(1, d) for d in self.shape)

    def to_raw(self, values: np.ndarray) -> np.ndarray:
        """Convert real numbers to the tensor's dtype.

        Args:
            values: Real numbers of any shape.

        Returns:
            Quantized values (rounded to nearest even, clipped) if the tensor is quantized, else a cast.
        """
        if self.is_quantized:
            info = np.iinfo(self.dtype)
            steps = np.rint(np.asarray(values, np.float32) / np.float32(self.scale)) + self.zero_point
            return np.asarray(np.clip(steps, info.min, info.max), self.dtype)
        return np.asarray(values).astype(self.dtype)

    def to_real(self, raw: np.ndarray) -> np.ndarray:
        """Convert raw values to real numbers: float32 for quantized tensors, unchanged for others."""
        if self.is_quantized:
            real = (np.asarray(raw, np.float32) - self.zero_point) * np.float32(self.scale)
            return np.asarray(real, np.float32)
        return np.asarray(raw)


@dataclass(frozen=True)
class Signature:
    """All inputs and outputs of a ``.tflite``, in the order of the main graph."""

    inputs: tuple[FileTensorSpec, ...]
    outputs: tuple[FileTensorSpec, ...]


def read_signature(model: bytes | ModelTree) -> Signature:
    """Return the inputs and outputs of a file or of its decoded tree.

    Raises:
        ModelError: A scale is negative, infinite or NaN.
        ConversionError: The bytes are not a ``.tflite``.
    """
    tree = read_tree(model) if isinstance(model, bytes) else model
    graph = tree.subgraphs[0]
    return Signature(_read_side(tree, graph, "inputs"), _read_side(tree, graph, "outputs"))


def _read_side(
    tree: ModelTree, graph: Graph, side: Literal["inputs", "outputs"]
) -> tuple[FileTensorSpec, ...]:
    names = {
        int(entry.tensorIndex): text_of(entry.name)
        for signature in tree.signatureDefs or []
        if signature.subgraphIndex == 0
        for entry in (signature.inputs if side == "inputs" else signature.outputs) or []
    }
    indices = graph.inputs if side == "inputs" else graph.outputs
    return tuple(_read_spec(graph.tensors[i], int(i), names) for i in ([] if indices is None else indices))


def _read_spec(tensor: Tensor, index: int, names: dict[int, str]) -> FileTensorSpec:
    quantization = tensor.quantization
    scales = None if quantization is None else quantization.scale
    points = None if quantization is None else quantization.zeroPoint
    signature = tensor.shapeSignature
    shape = shape_of(tensor)
    if signature is not None and len(signature):
        shape = tuple(int(d) for d in signature)
    name = names.get(index) or tensor_name(tensor) or f"tensor_{index}"
    scale = float(scales[0]) if scales is not None and len(scales) else 0.0
    if not 0 <= scale < MAX_SCALE:
        raise ModelError(f"'{name}' has the scale {scale:g}: the file is damaged", "Convert the model again.")
    zero_point = int(points[0]) if points is not None and len(points) else 0
    return FileTensorSpec(name, index, shape, type_name(tensor.type), scale, zero_point)

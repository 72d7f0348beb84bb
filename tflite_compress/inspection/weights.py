"""The weights of a ``.tflite``, layer by layer: number, sparsity, entropy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.tflite.flatbuffer import element_bytes, operator_name, type_name
from tflite_compress.tflite.layer_names import NO_LAYERS, LayerTable
from tflite_compress.tflite.macs import find_stored, find_weights, zeros_in
from tflite_compress.tflite.tree import ModelTree, Tensor


@dataclass(frozen=True)
class WeightTensor:
    """One weight tensor.

    Attributes:
        layer: The layer it belongs to.
        operator: The operator's name in ``schema.fbs``.
        type: The type's name in ``schema.fbs``.
        shape: Shape of the tensor.
        bytes: Bytes in the file.
        weights: Number of weights.
        zeros: Number of weights that are zero, or their channel's zero point.
        distinct: Number of distinct values.
        entropy_bits: Zeroth-order Shannon entropy, in bits per weight.
        scales: Number of scales: 1 per tensor or 1 per channel; 0 if it is not quantized.
        buffer: Index of the buffer that holds it.
    """

    layer: str
    operator: str
    type: str
    shape: tuple[int, ...]
    bytes: int
    weights: int
    zeros: int
    distinct: int
    entropy_bits: float
    scales: int
    buffer: int

    @property
    def sparsity(self) -> float:
        """Share of zeros."""
        return self.zeros / self.weights if self.weights else 0.0

    @property
    def lossless_bytes(self) -> int:
        """Bytes under an ideal entropy code of single values."""
        return int(np.ceil(self.entropy_bits * self.weights / 8))


def entropy_bits(values: np.ndarray) -> tuple[float, int]:
    """Return the Shannon entropy of an array's values in bits per value, and the number of distinct values.

    C. E. Shannon, "A Mathematical Theory of Communication", 1948. Most floats occur only once, so that the
    entropy of floats hardly says more than the number of distinct values.
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize == 1:
        counts = np.bincount(values.reshape(-1).view(np.uint8), minlength=256)
        counts = counts[counts > 0]
    else:
        _, counts = np.unique(values, return_counts=True)
    if not counts.size:
        return 0.0, 0
    shares = counts / counts.sum()
    return float(max(0.0, -np.sum(shares * np.log2(shares)))), len(counts)


def read_weights(model: ModelTree, layers: LayerTable = NO_LAYERS) -> list[WeightTensor]:
    """Return all weight tensors of a decoded file, in order of execution.

    Args:
        model: The decoded tree.
        layers: The layers of the Keras model it was made from.
    """
    found = []
    for graph in model.subgraphs:
        stored = find_stored(model, graph)
        for op in graph.operators or []:
            name = operator_name(model, op)
            layer = layers.layer_of(model, graph, op)
            for _, tensor, values in find_weights(name, op, graph, model, stored):
                found.append(_tensor(layer, name, tensor, values, model))
    return found


def _tensor(layer: str, operator: str, tensor: Tensor, values: np.ndarray, model: ModelTree) -> WeightTensor:
    entropy, distinct = entropy_bits(values)
    kept = model.buffers[tensor.buffer].data
    is_sparse, stored_bytes = tensor.sparsity is not None, 0 if kept is None else len(kept)
    scales = None if tensor.quantization is None else tensor.quantization.scale
    return WeightTensor(
        layer,
        operator,
        type_name(tensor.type),
        values.shape,
        stored_bytes if is_sparse else int(np.ceil(values.size * element_bytes(tensor.type))),
        values.size,
        zeros_in(values, tensor),
        distinct,
        entropy,
        0 if scales is None else len(scales),
        int(tensor.buffer),
    )

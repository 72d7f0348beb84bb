"""A file with weights in TensorFlow Lite's sparse format, written without a converter."""

from __future__ import annotations

import numpy as np

from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import pack, schema, unpack

KERNEL = np.array([[0, 0, 3, 0], [0, 5, 0, -7]], np.float32)


def sparse_dense_layer() -> bytes:
    """A fully connected layer whose kernel keeps its three values that are not zero: CSR."""
    g = schema()
    made = Assembly("sparse")
    x = made.tensor("x", (1, 4), "float32")
    packed = made.constant("packed", KERNEL[KERNEL != 0])
    kernel = made.operator("DENSIFY", [packed], "kernel", KERNEL.shape, "float32")
    bias = made.constant("bias", np.array([1, 2], np.float32))
    options = made.options("FullyConnectedOptions")
    y = made.operator("FULLY_CONNECTED", [x, kernel, bias], "y", (1, 2), "float32", options)
    tree = unpack(made.finished({"x": x}, {"y": y}))
    tensor = tree.subgraphs[0].tensors[packed]
    rows, columns = np.nonzero(KERNEL)
    starts = np.searchsorted(rows, np.arange(len(KERNEL) + 1))
    vector = g.SparseIndexVector.Uint8Vector
    tensor.shape = list(KERNEL.shape)
    tensor.sparsity = g.SparsityParametersT(
        traversalOrder=[0, 1],
        dimMetadata=[
            g.DimensionMetadataT(format=g.DimensionType.DENSE, denseSize=len(KERNEL)),
            g.DimensionMetadataT(
                format=g.DimensionType.SPARSE_CSR,
                arraySegmentsType=vector,
                arraySegments=g.Uint8VectorT(values=starts.astype(np.uint8)),
                arrayIndicesType=vector,
                arrayIndices=g.Uint8VectorT(values=columns.astype(np.uint8)),
            ),
        ],
    )
    return pack(tree)

"""Insert encoded weights and their DECODE operators into a ``.tflite``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tflite_compress.decode.ancillary import Encoded
from tflite_compress.decode.choose import Weights
from tflite_compress.tflite.flatbuffer import pack, schema, type_name, unpack
from tflite_compress.tflite.macs import constant

OPERATOR = "TFLM_DECODE"
MIN_BYTES = 128


def encodable(content: bytes) -> dict[int, Weights]:
    """Return the constant tensors of the main graph that can be encoded.

    Tensors under 128 bytes are left out. Tensors that a kernel reads during preparation, such as shapes and
    paddings, are left out too.

    Args:
        content: A ``.tflite``.

    Returns:
        Weights by tensor index.
    """
    from tflite_micro.tensorflow.lite.micro.compression import constant_inputs, model_editor

    edited = model_editor.read(content).subgraphs[0]
    model = unpack(content)
    graph = model.subgraphs[0]
    found = {}
    for index, tensor in enumerate(graph.tensors):
        values = None if type_name(tensor.type) == "INT4" else constant(tensor, model)
        if values is None or values.nbytes < MIN_BYTES or index in {int(i) for i in graph.outputs}:
            continue
        if constant_inputs.find_uses(edited, edited.tensors[index]):
            continue
        quantization = tensor.quantization
        points = None if quantization is None else quantization.zeroPoint
        zero_points = np.asarray([0] if points is None or len(points) == 0 else points, np.int64)
        axis = quantization.quantizedDimension if quantization is not None and len(zero_points) > 1 else 0
        found[index] = Weights(values, zero_points, axis)
    return found


def with_decode(content: bytes, encodings: Mapping[int, Encoded]) -> bytes:
    """Return the model with some tensors encoded, and a DECODE operator before each reader.

    Args:
        content: A ``.tflite``.
        encodings: Encoded tensors of the main graph, by index.
    """
    from tflite_micro.tensorflow.lite.micro.compression import compressor, decode_insert, model_editor

    model = model_editor.read(content)
    results = {
        (0, index): compressor.CompressionResult(encoded.data, encoded.ancillary)
        for index, encoded in encodings.items()
    }
    decode_insert.insert_decode_operators(model, results)
    return pack(_lean(unpack(bytes(model.build()))))


def decoded_tensors(content: bytes) -> int:
    """Return the number of tensors that DECODE operators compute."""
    model = unpack(content)
    codes = {
        number
        for number, code in enumerate(model.operatorCodes)
        if code.builtinCode == schema().BuiltinOperator.CUSTOM and code.customCode == OPERATOR.encode()
    }
    return sum(
        len(op.outputs) for g in model.subgraphs for op in g.operators or [] if op.opcodeIndex in codes
    )


def _lean(model: Any) -> Any:
    """Return the model without names of encoded tensors and tables, and without scales of their inputs."""
    bare = schema().QuantizationParametersT()
    for graph in model.subgraphs:
        for op in graph.operators or []:
            if model.operatorCodes[op.opcodeIndex].customCode != OPERATOR.encode():
                continue
            for index in [*op.inputs, *op.outputs]:
                graph.tensors[index].name = None
            for index in op.inputs:
                graph.tensors[index].quantization = bare
    return model

"""Remove from a ``.tflite`` what no runtime reads: names, ranges, metadata, duplicate buffers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import numpy as np

from tflite_compress.tflite.flatbuffer import operator_name, pack, tensor_name, unpack
from tflite_compress.tflite.tree import MetadataEntry, ModelTree

Level = Literal["none", "safe", "full"]
Step = Callable[[ModelTree], None]

# Scopes and operator types that the converter puts around a layer's name.
_NOISE = re.compile(
    r"^(StatefulPartitionedCall|PartitionedCall|Identity|ReadVariableOp|resource|arith\.constant)\b"
)
CONVERTER_METADATA = b"CONVERSION_METADATA"
# Operators with weights, and the axis of their output channels.
WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0, "CONV_3D": 4}


def slim_file(content: bytes, steps: tuple[Step, ...]) -> bytes:
    """Apply slimming steps to a file.

    Args:
        content: A ``.tflite``.
        steps: Some of :func:`list_slimming_steps`, in their order.

    Returns:
        The same model, never larger: the input itself if the steps save nothing.

    Raises:
        ConversionError: The bytes are not a ``.tflite``.
    """
    model = unpack(content)
    for step in steps:
        step(model)
    result = pack(model)
    return result if len(result) < len(content) else content


def list_slimming_steps(level: Level) -> tuple[Step, ...]:
    """Return the steps of a level.

    Args:
        level: ``none`` has no steps. ``safe`` keeps what tools and apps rely on: names of inputs and outputs,
            signatures, TFLite metadata. ``full`` drops these too.
    """
    safe = (shorten_names, drop_ranges, drop_converter_metadata, merge_buffers)
    return {"none": (), "safe": safe, "full": (drop_signatures, *safe)}[level]


def shorten_names(model: ModelTree) -> None:
    """Shorten the names of inner tensors.

    The converter names each tensor after every TensorFlow operation fused into it, often with over 100
    bytes. An operator's output keeps the name of its layer, so that tools can still say where it comes
    from. Constants lose their names. Inputs, outputs and signatures keep theirs.
    """
    for graph in model.subgraphs:
        kept = {int(i) for i in [*graph.inputs, *graph.outputs]}
        makers = {int(i): operator_name(model, op) for op in graph.operators or [] for i in op.outputs}
        for index, tensor in enumerate(graph.tensors):
            if index not in kept:
                maker = makers.get(index)
                tensor.name = own_name(tensor_name(tensor), maker).encode() if maker is not None else None
    _name_after_signature(model)


def drop_ranges(model: ModelTree) -> None:
    """Drop the calibrated minimum and maximum, which scale and zero point already express."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.quantization is not None:
                tensor.quantization.min = tensor.quantization.max = None


def drop_converter_metadata(model: ModelTree) -> None:
    """Drop the metadata the converter writes about itself."""
    _keep_metadata(model, lambda entry: _bytes(entry.name) != CONVERTER_METADATA)


def merge_buffers(model: ModelTree) -> None:
    """Store equal constants once, and drop unused ones."""
    buffers, numbers = [model.buffers[0]], {}
    used = [entry for entry in model.metadata or []]
    holders = [t for graph in model.subgraphs for t in graph.tensors]
    for holder in [*holders, *used]:
        data = model.buffers[holder.buffer].data
        if holder.buffer == 0:
            continue
        if data is None or len(data) == 0:
            key: object = ("empty", holder.buffer)  # variables and activations keep separate buffers
        else:
            key = np.asarray(data, np.uint8).tobytes()
        if key not in numbers:
            numbers[key] = len(buffers)
            buffers.append(model.buffers[holder.buffer])
        holder.buffer = numbers[key]
    model.buffers = buffers
    if model.metadataBuffer is not None:
        model.metadataBuffer = None  # deprecated: metadata entries name their buffers


def drop_signatures(model: ModelTree) -> None:
    """Drop signatures, metadata and description. Inputs and outputs keep the signature's names."""
    _name_after_signature(model)
    model.signatureDefs = None
    model.description = None
    _keep_metadata(model, lambda entry: False)


def layer_name(name: str) -> str:
    """Return the layer's name within a tensor name made by the converter.

    >>> layer_name("digits_1/conv_1/Relu;digits_1/bn_1/FusedBatchNormV3;digits_1/conv_1/Conv2D")
    'conv_1'
    >>> layer_name("functional/smooth/Gelu/mul_2;functional/smooth/Gelu/Erfc")
    'smooth'
    """
    first = name.split(";")[0]
    parts = [part for part in first.split("/") if part and not _NOISE.match(part)]
    if len(parts) < 2:
        return parts[0] if parts else ""
    place = len(parts) - 2
    while place > 1 and parts[place][0].isupper():  # the scope of a function within the layer
        place -= 1
    return parts[place]


def own_name(name: str, kind: str) -> str:
    """Return the name of the layer with the weights, if a fused activation named the tensor."""
    if kind in WEIGHTED:
        for part in name.split(";"):
            if part.rpartition("/")[2].split("_")[0] in ("Conv2D", "depthwise", "MatMul", "convolution"):
                return layer_name(part)
    return layer_name(name)


def _name_after_signature(model: ModelTree) -> None:
    """Rename input and output tensors to their names in the signature."""
    for signature in model.signatureDefs or []:
        graph = model.subgraphs[signature.subgraphIndex]
        for entry in [*(signature.inputs or []), *(signature.outputs or [])]:
            graph.tensors[entry.tensorIndex].name = entry.name


def _keep_metadata(model: ModelTree, wanted: Callable[[MetadataEntry], bool]) -> None:
    model.metadata = [entry for entry in model.metadata or [] if wanted(entry)] or None


def _bytes(text: bytes | str | None) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text or b"")

"""Remove from a ``.tflite`` what no runtime reads: names, ranges, metadata, duplicate buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from tflite_compress.tflite.flatbuffer import operator_name, pack, tensor_name, text_of, unpack
from tflite_compress.tflite.layer_names import NO_LAYERS, LayerTable
from tflite_compress.tflite.operator_work import named_weights
from tflite_compress.tflite.tree import Graph, MetadataEntry, ModelTree

Level = Literal["none", "safe", "full"]
Step = Callable[[ModelTree], None]

CONVERTER_METADATA = b"CONVERSION_METADATA"


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


def list_slimming_steps(level: Level, layers: LayerTable = NO_LAYERS) -> tuple[Step, ...]:
    """Return the steps of a level.

    Args:
        level: ``none`` has no steps. ``safe`` keeps what tools and apps rely on: names of inputs and outputs,
            signatures, TFLite metadata. ``full`` drops these too.
        layers: The layers of the Keras model the file was made from, after which operators are named.
    """
    safe = (_shorten_names_by(layers), drop_ranges, drop_converter_metadata, merge_buffers)
    return {"none": (), "safe": safe, "full": (drop_signatures, *safe)}[level]


def _shorten_names_by(layers: LayerTable) -> Step:
    """Return the step that shortens the names of inner tensors.

    The converter names each tensor after every TensorFlow operation fused into it, often with over 100
    bytes. An operator's output keeps the name of its layer, so that tools can still say where it comes
    from. Constants lose their names, except weights of an operator that writes a model's output, whose
    name is not that of its layer. Inputs, outputs and signatures keep theirs.
    """

    def shorten_names(model: ModelTree) -> None:
        owners = [_owners_of_outputs(model, graph, layers) for graph in model.subgraphs]
        for graph in model.subgraphs:
            kept = {int(i) for i in [*graph.inputs, *graph.outputs]}
            makers = {int(i): op for op in graph.operators or [] for i in op.outputs}
            names = {i: layers.layer_of(model, graph, op, i) for i, op in makers.items()}
            for index, tensor in enumerate(graph.tensors):
                if index not in kept:
                    tensor.name = names[index].encode() if index in names else None
        _name_after_signature(model)
        for graph, named in zip(model.subgraphs, owners, strict=True):
            for index, layer in named.items():
                graph.tensors[index].name = layer.encode()

    return shorten_names


def _owners_of_outputs(model: ModelTree, graph: Graph, layers: LayerTable) -> dict[int, str]:
    """Return the layer of each constant weight tensor whose operator writes an output of another name."""
    entries = [e for s in model.signatureDefs or [] for e in s.outputs or []]
    names = {int(e.tensorIndex): text_of(e.name) for e in entries}
    found = {}
    for op in graph.operators or []:
        output = int(op.outputs[0]) if len(op.outputs) else -1
        if output not in [int(i) for i in graph.outputs]:
            continue
        layer = layers.layer_of(model, graph, op)
        weights = named_weights(operator_name(model, op), op, graph, model)
        if weights and layer not in ("", names.get(output, tensor_name(graph.tensors[output]))):
            found[weights[0]] = layer
    return found


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

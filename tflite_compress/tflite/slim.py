"""Taking out of a ``.tflite`` what only people read: long tensor names."""

from __future__ import annotations

import re
from typing import Any

from tflite_compress.tflite.flatbuffer import pack, tensor_name, unpack

# Scopes and operator types the converter puts around a layer's own name.
_NOISE = re.compile(
    r"^(StatefulPartitionedCall|PartitionedCall|Identity|ReadVariableOp|resource|arith\.constant)\b"
)


def slim_names(content: bytes) -> bytes:
    """Shorten the names of inner tensors.

    The converter names each tensor after every TensorFlow operation fused into it, often over 100
    bytes. An operator's output keeps the name of its layer, so that tools can still say where it comes
    from; constants lose theirs. Inputs, outputs and signatures keep the names users rely on.

    Args:
        content: A ``.tflite``.

    Returns:
        The same model, never larger: the input comes back where nothing was gained.

    Raises:
        ConversionError: The bytes are not a ``.tflite``.
    """
    model = unpack(content)
    for graph in model.subgraphs:
        kept = {int(i) for i in [*graph.inputs, *graph.outputs]}
        computed = {int(i) for op in graph.operators or [] for i in op.outputs}
        for index, tensor in enumerate(graph.tensors):
            if index not in kept:
                tensor.name = layer_name(tensor_name(tensor)).encode() if index in computed else b""
    _name_ports_after_signature(model)
    slimmed = pack(model)
    return slimmed if len(slimmed) < len(content) else content


def layer_name(name: str) -> str:
    """The layer's own name within a converter-made tensor name.

    >>> layer_name("digits_1/conv_1/Relu;digits_1/bn_1/FusedBatchNormV3;digits_1/conv_1/Conv2D")
    'conv_1'
    """
    first = name.split(";")[0]
    parts = [part for part in first.split("/") if part and not _NOISE.match(part)]
    return parts[-2] if len(parts) > 1 else (parts[0] if parts else "")


def _name_ports_after_signature(model: Any) -> None:
    """Give input and output tensors their signature names, and drop the converter's prefixes."""
    for signature in model.signatureDefs or []:
        graph = model.subgraphs[signature.subgraphIndex]
        for entry in [*(signature.inputs or []), *(signature.outputs or [])]:
            graph.tensors[entry.tensorIndex].name = entry.name

"""The layer of the Keras model that an operator comes from, read from the name of its output tensor.

The converter names a tensor after all TensorFlow operations fused into it, separated by ``;``, in no
documented order: ``net/relu_1/Relu;net/bn_1/batchnorm/mul_1;net/conv_1/Conv2D``. Numbers at the end keep
names apart: ``net/conv_1/Conv2D1``. A layer is named after the operation that has weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tflite_compress.tflite.flatbuffer import operator_name, tensor_name
from tflite_compress.tflite.operator_work import named_weights, product
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, shape_of

# Operators with weights, and the axis of their output channels.
WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0, "CONV_3D": 4}
# Scopes and operator types that the converter puts around a layer's name.
_NOISE = re.compile(
    r"^(StatefulPartitionedCall|PartitionedCall|Identity|ReadVariableOp|resource|arith\.constant)\b"
)
# TensorFlow operations of layers with weights, with the number that keeps names apart.
_WEIGHTED_OPERATION = re.compile(
    r"^(Conv[23]D|conv2d_transpose|conv3d_transpose|depthwise|separable_conv2d|convolution|MatMul|Tensordot)[_\d]*$"
)
# Scopes of operations within a layer that are not written in capitals.
_INNER_SCOPE = re.compile(
    r"^(batchnorm|moments|depthwise|separable_conv2d|einsum|conv[23]d_transpose)(_\d+)?$"
)
_COPY = re.compile(r"_\d+$")


@dataclass(frozen=True)
class KerasLayer:
    """A layer of a Keras model.

    Attributes:
        name: Its name in the model that the user gave.
        kernels: Sizes of its weight arrays with two dimensions or more.
    """

    name: str
    kernels: frozenset[int]


@dataclass(frozen=True)
class LayerTable:
    """The layers of a Keras model, for attributing operators to them.

    Attributes:
        layers: The layers by their names in TensorFlow, which wrappers may have changed.
    """

    layers: Mapping[str, KerasLayer] = field(default_factory=dict)

    def members_of(self, model: ModelTree, graph: Graph, op: Operator) -> tuple[str, ...]:
        """Return the layers whose operations are fused into an operator; empty if no layer is found.

        Args:
            model: The decoded file.
            graph: The subgraph of the operator.
            op: The operator.
        """
        names = (_output_name(graph, op), *(name for name, _ in _weights(model, graph, op)))
        return tuple(dict.fromkeys(layer.name for name in names for layer in self._found(name)))

    def layer_of(self, model: ModelTree, graph: Graph, op: Operator, output: int | None = None) -> str:
        """Return the layer that an operator computes; the operation with weights names it.

        Args:
            model: The decoded file.
            graph: The subgraph of the operator.
            op: The operator.
            output: Index of the output tensor that names it; the first by default.

        Returns:
            The name of a layer of the table. Where none is found: the name that :func:`own_name` reads from
            the tensor's name, or from that of the weights where an output of the model is named otherwise.
            It is empty for an operator without outputs.
        """
        name, kind = _output_name(graph, op, output), operator_name(model, op)
        found = self._found(name)
        weights = _weights(model, graph, op)
        for weights_name, count in weights:
            able = [*found, *self._found(weights_name)]
            fitting = [layer for layer in able if count in layer.kernels]
            found = [*(fitting or [layer for layer in able if layer.kernels]), *found]
        if found:
            return found[0].name
        return next(
            filter(None, (own_name(each, kind) for each in (name, *(each for each, _ in weights)))), ""
        )

    def _found(self, name: str) -> list[KerasLayer]:
        layers = (self.layer_at(part) for part in name.split(";") if part)
        return [layer for layer in layers if layer is not None]

    def layer_at(self, path: str) -> KerasLayer | None:
        """Return the first known layer in the path of a TensorFlow operation, longest name first.

        Args:
            path: For example ``net/conv_1/Conv2D``.
        """
        steps = [step for step in path.split("/") if step]
        for starts in (range(1, len(steps)), range(min(1, len(steps)))):  # the first step names the model
            for clean in (str, lambda step: _COPY.sub("", step)):  # a layer called again gets a number
                for start in starts:
                    for end in range(len(steps), start, -1):
                        name = "/".join([*steps[start : end - 1], clean(steps[end - 1])])
                        if name in self.layers:
                            return self.layers[name]
        return None


NO_LAYERS = LayerTable()  # for files whose Keras model is not at hand


def operator_layers(model: ModelTree, layers: LayerTable) -> dict[str, str]:
    """Return the layer of each operator of the first subgraph, by the name of its first output tensor."""
    graph = model.subgraphs[0]
    operators = [op for op in graph.operators if len(op.outputs)]
    return {_output_name(graph, op): layers.layer_of(model, graph, op) for op in operators}


def _output_name(graph: Graph, op: Operator, output: int | None = None) -> str:
    if output is None:
        output = int(op.outputs[0]) if len(op.outputs) else None
    return "" if output is None else tensor_name(graph.tensors[output])


def _weights(model: ModelTree, graph: Graph, op: Operator) -> list[tuple[str, int]]:
    """Return name and size of the first weight tensor of an operator; empty if it has none."""
    found = named_weights(operator_name(model, op), op, graph, model)[:1]
    return [(tensor_name(graph.tensors[i]), product(shape_of(graph.tensors[i]))) for i in found]


def layer_name(name: str) -> str:
    """Return the layer's name within a tensor name made by the converter.

    >>> layer_name("digits_1/conv_1/Relu;digits_1/bn_1/FusedBatchNormV3;digits_1/conv_1/Conv2D")
    'conv_1'
    >>> layer_name("functional/smooth/Gelu/mul_2;functional/smooth/Gelu/Erfc")
    'smooth'
    >>> layer_name("efficientnetb0/block1a_bn/batchnorm/mul_1")
    'block1a_bn'
    """
    first = name.split(";")[0]
    parts = [part for part in first.split("/") if part and not _NOISE.match(part)]
    if len(parts) < 2:
        return parts[0] if parts else ""
    place = len(parts) - 2
    while place > 1 and parts[place][0].isupper():  # the scope of a function within the layer
        place -= 1
    while place > 0 and _INNER_SCOPE.match(parts[place]):
        place -= 1
    return parts[place]


def own_name(name: str, kind: str) -> str:
    """Return the name of the layer with the weights, if a fused activation named the tensor.

    >>> own_name("net/relu_2/Relu6;net/bn_2/batchnorm/mul_1;net/dw_2/depthwise1", "DEPTHWISE_CONV_2D")
    'dw_2'
    """
    if kind in WEIGHTED:
        for part in name.split(";"):
            if _WEIGHTED_OPERATION.match(part.rpartition("/")[2]):
                return layer_name(part)
    return layer_name(name)

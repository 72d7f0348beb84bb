"""Rewrite a graph that computes in float16 or bfloat16 so that it computes in float32.

For models without a graph of Keras layers: SavedModels and subclassed models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tflite_compress.models.full_precision import HALF, float32_note
from tflite_compress.models.graph_def import AttrValue, GraphDef, all_nodes
from tflite_compress.models.keras_types import DType
from tflite_compress.models.network import Network, TensorSpec
from tflite_compress.support.backend import tensorflow
from tflite_compress.support.notes import Note


def graph_in_float32(network: Network) -> tuple[Network, tuple[Note, ...]]:
    """Return the network in float32 and a note about it; the same network if it uses no 16-bit floats.

    Args:
        network: A network that is not editable.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    tf = tensorflow()
    specs = {port.name: tf.TensorSpec(port.shape, port.dtype, name=port.name) for port in network.inputs}
    names = [port.name for port in network.outputs]
    function = tf.function(
        lambda **xs: dict(zip(names, network.call(tuple(xs[name] for name in specs)), strict=True)),
        autograph=False,
    ).get_concrete_function(**specs)
    found = _half_types(function.graph.as_graph_def())
    if not found:
        return network, ()
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    graph = _widened(frozen.graph.as_graph_def())
    ends = dict(zip(sorted(names), (x.name for x in frozen.outputs), strict=True))  # as TensorFlow flattens
    loaded = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    starts = [x.name for x in frozen.inputs]
    body = loaded.prune(starts, {name: ends[name] for name in names})
    order = [start.split(":")[0] for start in starts]
    wide = {name: tf.TensorSpec(s.shape, _wide_type(s.dtype), name=name) for name, s in specs.items()}
    handle = tf.function(lambda **xs: body(*(xs[name] for name in order)), autograph=False)
    ports = [tuple(_wide_port(port) for port in group) for group in (network.inputs, network.outputs)]
    rewritten = replace(
        network, handle=handle.get_concrete_function(**wide), inputs=ports[0], outputs=ports[1]
    )
    return rewritten, (float32_note(found),)


def _half_types(graph: GraphDef) -> list[str]:
    codes = {
        code
        for node in all_nodes(graph)
        for value in node.attr.values()
        for code in (value.type, *value.list.type)
    }
    return sorted({tensorflow().dtypes.as_dtype(code).name for code in codes if code} & HALF)


def _widened(graph: GraphDef) -> GraphDef:
    """Replace 16-bit float types and constants in a ``GraphDef`` by float32, in its functions too."""
    # The context still has the functions under their old names.
    renamed = {body.signature.name: f"{body.signature.name}_in_float32" for body in graph.library.function}
    for node in all_nodes(graph):
        node.op = renamed.get(node.op, node.op)
        for value in node.attr.values():
            _widen(value, renamed)
    for body in graph.library.function:
        body.signature.name = renamed[body.signature.name]
        for argument in (*body.signature.input_arg, *body.signature.output_arg):
            argument.type = _wide_code(argument.type)
    return graph


def _widen(value: AttrValue, renamed: Mapping[str, str]) -> None:
    """Change one attribute of a node in place."""
    kind = value.WhichOneof("value")
    if kind == "type":
        value.type = _wide_code(value.type)
    elif kind == "list":
        value.list.type[:] = [_wide_code(code) for code in value.list.type]
    elif kind == "tensor" and _wide_code(value.tensor.dtype) != value.tensor.dtype:
        array = np.asarray(tensorflow().make_ndarray(value.tensor), np.float32)
        value.tensor.CopyFrom(tensorflow().make_tensor_proto(array))
    for called in [value.func] if kind == "func" else value.list.func if kind == "list" else []:
        called.name = renamed.get(called.name, called.name)


def _wide_code(code: int) -> int:
    return int(_wide_type(tensorflow().dtypes.as_dtype(code)).as_datatype_enum) if code else code


def _wide_type(dtype: DType) -> DType:
    float32: DType = tensorflow().float32
    return float32 if dtype.name in HALF else dtype


def _wide_port(port: TensorSpec) -> TensorSpec:
    return replace(port, dtype="float32") if port.dtype in HALF else port

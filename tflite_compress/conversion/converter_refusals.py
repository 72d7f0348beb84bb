"""Explain why the TFLite converter refuses a model: the operation, and the layer that uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tflite_compress.models.layer_table import layer_table
from tflite_compress.models.trace import shortened
from tflite_compress.profiles.devices import Precision
from tflite_compress.support.errors import ConversionError

if TYPE_CHECKING:
    from tflite_compress.models.graph_def import NodeDef
    from tflite_compress.models.network import Network

_LACKS = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_CAPTURED = ("Placeholder",)  # the converter's stand-in for a table that another operation reads


def explain_conversion_error(
    error: Exception, network: Network, nodes: Iterator[NodeDef], precision: Precision
) -> ConversionError:
    """Return what the converter refuses, as an error for the user.

    Args:
        error: The converter's exception.
        network: The network.
        nodes: Nodes of the traced network and of its functions.
        precision: The precision asked for.
    """
    lacking = [name for name in dict.fromkeys(_LACKS.findall(str(error))) if name not in _CAPTURED]
    if not lacking:
        return ConversionError(
            f"the TFLite converter refuses {precision}: {shortened(error)}",
            "Choose another recipe, or replace the operator it names.",
        )
    table = layer_table(network)
    found = (table.layer_at(node.name) for node in nodes if node.op in lacking)
    layers = list(dict.fromkeys(layer.name for layer in found if layer is not None))
    operations = ", ".join(f"tf.{name}" for name in lacking)
    where = f", which {_named(network, layers)} {'use' if len(layers) > 1 else 'uses'}" if layers else ""
    return ConversionError(f"TFLite has no operator for {operations}{where}", _hint(network, layers))


def _named(network: Network, layers: list[str]) -> str:
    layers_of_model = getattr(network.handle, "layers", ())
    kinds = {la.name: f" ({getattr(la, 'carried_class', type(la).__name__)})" for la in layers_of_model}
    return " and ".join(f"layer '{name}'{kinds.get(name, '')}" for name in layers)


def _hint(network: Network, layers: list[str]) -> str:
    """Suggest to cut layers off that read the model's inputs; others can only be replaced."""
    if layers and all(_reads_inputs(network, name) for name in layers):
        return f"Cut it off with --cut={','.join(layers)} and give data for what it computes, or replace it."
    return "Replace the layer by one that TFLite has operators for."


def _reads_inputs(network: Network, name: str) -> bool:
    if not network.editable:
        return False
    ends = {id(tensor) for tensor in network.handle.inputs}
    return id(network.handle.get_layer(name).input) in ends

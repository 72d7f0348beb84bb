"""Fix open dimensions of a network's inputs, such as the height and width of images or a number of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tflite_compress.models.copying import copied_with_shapes
from tflite_compress.models.graph import replay
from tflite_compress.models.keras_types import KerasModel
from tflite_compress.models.network import Network, TensorSpec, keras_network
from tflite_compress.support.backend import tensorflow
from tflite_compress.support.errors import ModelError
from tflite_compress.support.input_shape import OpenShape, Shape, show_shape, suggest_shapes


def open_inputs(network: Network) -> tuple[TensorSpec, ...]:
    """Return the inputs that have an open dimension besides the batch."""
    return tuple(spec for spec in network.inputs if None in spec.shape[1:])


def input_sizes(network: Network) -> dict[str, OpenShape]:
    """Return the shape of each input without the batch."""
    return {spec.name: spec.shape[1:] for spec in network.inputs}


def with_shapes(network: Network, shapes: Mapping[str, Shape]) -> Network:
    """Return the network with the sizes of inputs fixed.

    Args:
        network: The network.
        shapes: Shape of each input to fix, without the batch, by name.

    Raises:
        ModelError: The network does not compute on inputs of these sizes.
    """
    fixed = tuple(
        replace(spec, shape=(spec.shape[0], *shapes.get(spec.name, spec.shape[1:])))
        for spec in network.inputs
    )
    if fixed == network.inputs:
        return network
    try:
        if network.editable:
            handle = copied_with_shapes(network.handle, [spec.shape for spec in fixed])
            made = keras_network(handle, network.name, True)
            return replace(made, with_rounding=_with_rounding(network, fixed))
        return replace(network, inputs=fixed, outputs=_outputs(network, fixed))
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        sizes = ", ".join(f"'{name}' {show_shape(shape)}" for name, shape in shapes.items())
        raise ModelError(
            f"the model does not compute on inputs of these sizes: {sizes} ({reason})",
            f"Choose other sizes, for example --input-shape={suggest_shapes(input_sizes(network))}.",
        ) from error


def _with_rounding(network: Network, inputs: tuple[TensorSpec, ...]) -> KerasModel | None:
    """Return the model with trained int8 ranges for these inputs; it shares its layers with the original."""
    if network.with_rounding is None:
        return None
    shapes = [spec.shape for spec in inputs]
    return replay(network.with_rounding, lambda call: call.layer(*call.args, **call.kwargs), shapes)


def _outputs(network: Network, inputs: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """Return the outputs for these inputs."""
    tf = tensorflow()
    specs = [tf.TensorSpec(spec.shape, spec.dtype) for spec in inputs]
    function = tf.function(lambda *xs: network.call(xs), autograph=False).get_concrete_function(*specs)
    shapes = [tuple(tensor.shape) for tensor in tf.nest.flatten(function.structured_outputs)]
    return tuple(replace(spec, shape=shape) for spec, shape in zip(network.outputs, shapes, strict=True))

"""Trace a network as one concrete TensorFlow function, the input of the converter."""

from __future__ import annotations

from collections.abc import Iterable

from tflite_compress.models.graph_def import ConcreteFunction
from tflite_compress.models.masked_mean import with_defined_means
from tflite_compress.models.masked_recurrence import with_explicit_masks
from tflite_compress.models.network import Network
from tflite_compress.support import backend
from tflite_compress.support.errors import ConversionError


def traced(network: Network, batch: int | None) -> tuple[ConcreteFunction, object]:
    """Trace a network with named inputs and outputs.

    Args:
        network: The network.
        batch: Batch size; None leaves it free.

    Returns:
        The ``tf.ConcreteFunction``, and the ``tf.Module`` that owns its variables.

    Raises:
        ConversionError: TensorFlow cannot trace the network.
    """
    tf = backend.tensorflow()
    network = with_defined_means(with_explicit_masks(network))
    specs = [tf.TensorSpec([batch, *port.shape[1:]], port.dtype, name=port.name) for port in network.inputs]
    names = [port.name for port in network.outputs]
    try:
        function = tf.function(lambda *xs: _named(names, network.call(xs)), autograph=False)
        concrete = function.get_concrete_function(*specs)
        owner = tf.Module()
        if network.editable:
            # With the model itself as owner the converter would trace each layer several times more, for a
            # SavedModel that nothing loads.
            owner.held = list(concrete.variables)
            return concrete, owner
        # The converter finds only the variables of tf_keras models; others are frozen into constants.
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
        # Freezing flattens the outputs, and TensorFlow flattens dictionaries in the order of their keys.
        owner.function = tf.function(
            lambda *xs: _named(sorted(names), _as_list(frozen(*xs))), autograph=False
        )
        named: ConcreteFunction = owner.function.get_concrete_function(*specs)
        return named, owner
    except Exception as error:
        raise ConversionError(
            f"model '{network.name}' cannot be traced: {shortened(error)}",
            "Fix its input shape (a None dimension besides the batch often is the cause).",
        ) from error


def _named(names: list[str], outputs: Iterable[object]) -> dict[str, object]:
    return dict(zip(names, outputs, strict=True))


def _as_list(outputs: object) -> list[object]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def shortened(error: Exception) -> str:
    """Return up to 300 characters of a converter's error: its lines that state the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "tf." in line or "not supported" in line]
    return " ".join((telling or lines or [type(error).__name__])[:2])[:300]

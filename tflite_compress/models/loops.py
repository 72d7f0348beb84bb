"""Why a network keeps a loop after conversion, for the error message."""

from __future__ import annotations

from typing import Any

from tflite_compress.models.masked_recurrence import RECURRENT, is_masked
from tflite_compress.models.network import Network
from tflite_compress.models.unroll import MAX_UNROLLED_STEPS
from tflite_compress.support.errors import StructureError

_OTHERS = "choose --recipe=dynamic or float16, which need no calibration."


def require_no_loops(network: Network, precision: str) -> None:
    """Check by the layers, without a conversion, that a network has no loop.

    Args:
        network: The network with recurrent layers unrolled.
        precision: The integer precision asked for.

    Raises:
        StructureError: Layers compute in a loop, which cannot be calibrated.
    """
    layers = network.handle.layers if network.editable else []
    if any(_reason(layer) is not None and not _is_unrolled(layer) for layer in layers):
        raise loop_error(network, precision)


def loop_error(network: Network, precision: str) -> StructureError:
    """Return the error about a network that computes in a loop."""
    reasons, hint = explain_loops(network)
    return StructureError(f"{reasons}: {precision} quantization cannot calibrate a loop", hint)


def _is_unrolled(layer: Any) -> bool:
    return bool(getattr(getattr(layer, "forward_layer", layer), "unroll", False))


def explain_loops(network: Network) -> tuple[str, str]:
    """Return which layers of a network compute in a loop and why, and a hint."""
    layers = network.handle.layers if network.editable else []
    found = [(layer, reason) for layer in layers if (reason := _reason(layer)) is not None]
    if not found:
        return "the model computes in a loop (WHILE)", f"Rewrite it without the loop, or {_OTHERS}"
    masked = any(is_masked(layer) for layer, _ in found)
    named = "; ".join(f"layer '{layer.name}' ({type(layer).__name__}) {reason}" for layer, reason in found)
    if not masked:
        return named, f"Use LSTM, shorten the sequence, or {_OTHERS}"
    sources = ", ".join(f"'{layer.name}' ({type(layer).__name__})" for layer in layers if _makes_mask(layer))
    return f"{named}; the mask comes from layer {sources or 'of another model'}", (
        f"Remove the mask (no Masking layer, mask_zero=False), or {_OTHERS}"
    )


def _reason(layer: Any) -> str | None:
    """Return why a layer computes in a loop; None if it does not."""
    carried = getattr(layer, "_operation", layer)  # a Keras 3 layer that tf_keras lacks
    inner = getattr(carried, "forward_layer", carried)
    if not hasattr(inner, "return_sequences"):
        return None
    kind = type(inner).__name__
    if kind not in RECURRENT:
        return f"computes the steps of {kind} in a loop"
    if carried is not layer:
        return f"computes the steps of {kind} in a loop, because its settings exist in Keras 3 only"
    shape = layer.input_shape
    steps = (shape[0] if isinstance(shape, list) else shape)[1]
    if is_masked(layer):
        kept = [name for name in ("stateful", "return_state") if getattr(inner, name)]
        return f"has a mask and {' and '.join(kept) or 'a given initial state'}, so its steps stay a loop"
    if kind != "LSTM" and (steps is None or steps > MAX_UNROLLED_STEPS):
        return f"has {steps or 'an open number of'} time steps, over {MAX_UNROLLED_STEPS}"
    return None


def _makes_mask(layer: Any) -> bool:
    return type(layer).__name__ == "Masking" or bool(getattr(layer, "mask_zero", False))

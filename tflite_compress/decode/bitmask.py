"""Pruning encoding: a mask with one bit per element, and the elements that are not zero.

TFLite Micro, DECODE operator, decode type 2. An int8 weight takes 1 + 8 (1 - sparsity) bits.
"""

from __future__ import annotations

import numpy as np

from tflite_compress.decode.ancillary import Encoded, ancillary


def encode_prune(values: np.ndarray, zero_points: np.ndarray, axis: int) -> Encoded | None:
    """Encode a tensor as bit mask and remaining values.

    Args:
        values: Values in the shape and element type of the tensor.
        zero_points: Zero point of the tensor, shape (1,), or of each channel, shape (channels,).
        axis: The axis of the channels.

    Returns:
        The encoded tensor, or None if the decoder cannot represent the zero points: they differ along an
        inner axis, or are not 0 in a type other than int8.
    """
    if axis not in (0, values.ndim - 1):
        return None
    if values.dtype != np.int8 and np.any(zero_points != 0):
        return None
    if len(zero_points) > 1:
        shape = [1] * values.ndim
        shape[axis] = len(zero_points)
        zero_points = zero_points.reshape(shape)
    bits = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    zeros = np.broadcast_to(zero_points.astype(values.dtype), values.shape)
    stays = bits != np.ascontiguousarray(zeros).view(bits.dtype)  # bitwise: -0.0 must decode to -0.0
    return Encoded(
        "prune", np.packbits(stays.reshape(-1)).tobytes(), ancillary("prune", b"", values[stays].tobytes())
    )

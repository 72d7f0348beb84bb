"""Look-up table encoding: an index of 1 to 7 bits per element, and a table of the values.

TFLite Micro, DECODE operator, decode type 0. It saves bytes if weights have few values, for example after
clustering.
"""

from __future__ import annotations

import numpy as np

from tflite_compress.decode.ancillary import Encoded, ancillary, packed_bits

MAX_BITS = 7
_ONE_TABLE = 15  # instead of an axis: one table for the whole tensor


def encode_lut(values: np.ndarray, channel_axis: int | None) -> Encoded | None:
    """Encode with one table or with one table per channel, whichever is smaller.

    For a tensor with per-channel scales, the decoder adds the stride in the header to the table offset after
    each channel. With stride 0, all channels read the same table.

    Args:
        values: Values in the shape and element type of the tensor.
        channel_axis: The quantized axis; None for a tensor without per-channel scales.

    Returns:
        The encoded tensor, or None if there are too many values for 7-bit indices or the axis is inner.
    """
    if channel_axis not in (None, 0, values.ndim - 1):
        return None
    found = [_with_tables(values.reshape(1, -1), values, None)]
    if channel_axis is not None:
        found.append(_with_tables(np.moveaxis(values, channel_axis, 0), values, channel_axis))
    return min((e for e in found if e is not None), key=lambda e: e.size, default=None)


def _with_tables(rows: np.ndarray, values: np.ndarray, axis: int | None) -> Encoded | None:
    """Encode with one table per row of ``rows``; return None if a table is too long."""
    tables, indices = [], np.empty(rows.shape, np.int64)
    for number, row in enumerate(rows):
        table, positions = np.unique(_as_bits(row), return_inverse=True)
        tables.append(table)
        indices[number] = positions.reshape(row.shape)
    length = max(len(table) for table in tables)
    bits = max(1, (length - 1).bit_length())
    if bits > MAX_BITS:
        return None
    flat = (indices if axis is None else np.moveaxis(indices, 0, axis)).reshape(-1)
    padded = np.stack([np.pad(table, (0, length - len(table))) for table in tables])
    settings = bytes([_ONE_TABLE << 4 | bits, 0]) if axis is None else bytes([axis << 4 | bits, length])
    data = packed_bits(flat, np.full(len(flat), bits))
    return Encoded("lut", data, ancillary("lut", settings, padded.tobytes()))


def _as_bits(values: np.ndarray) -> np.ndarray:
    """Return the values as unsigned integers, so that -0.0 differs from 0.0 and NaN equals itself."""
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")

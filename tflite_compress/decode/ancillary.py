"""The result of an encoding: encoded data, and the ancillary tensor with the decoding parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["lut", "prune", "huffman"]

HEADER_BYTES = 16
_DECODE_TYPE: dict[Kind, int] = {"lut": 0, "huffman": 1, "prune": 2}
_VERSION = 1


@dataclass(frozen=True)
class Encoded:
    """One encoded tensor.

    Attributes:
        kind: The encoding.
        data: The encoded values of the tensor.
        ancillary: Header and table. Tensors with equal headers and tables share them.
    """

    kind: Kind
    data: bytes
    ancillary: bytes

    @property
    def size(self) -> int:
        """Bytes of data and ancillary tensor."""
        return len(self.data) + len(self.ancillary)


def ancillary(kind: Kind, settings: bytes, table: bytes) -> bytes:
    """Return the ancillary tensor: a 16-byte header, then the table.

    Args:
        kind: The encoding.
        settings: The header from byte 5 on, at most 11 bytes.
        table: The table of values or codes.
    """
    head = bytes([_DECODE_TYPE[kind], _VERSION, 0, 0, _VERSION]) + settings
    return head.ljust(HEADER_BYTES, b"\0") + table


def packed_bits(codes: np.ndarray, lengths: np.ndarray) -> bytes:
    """Return codes as a bit stream, most significant bit first, the last byte padded with zeros.

    Args:
        codes: Unsigned integers, shape (n,).
        lengths: Number of bits of each code, int64, shape (n,).
    """
    starts = np.concatenate([[0], np.cumsum(lengths)])
    bits = np.zeros(int(starts[-1]), np.uint8)
    for place in range(int(lengths.max(initial=0))):
        chosen = lengths > place
        shift = (lengths[chosen] - 1 - place).astype(np.uint64)
        bits[starts[:-1][chosen] + place] = (codes[chosen].astype(np.uint64) >> shift) & 1
    return np.packbits(bits).tobytes()

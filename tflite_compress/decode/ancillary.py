"""What every encoding gives: encoded data, and the ancillary tensor that says how to decode it."""

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
    """One tensor, encoded.

    Attributes:
        kind: Which encoding.
        data: What replaces the tensor's values.
        ancillary: Header and table; tensors with equal ones share them.
    """

    kind: Kind
    data: bytes
    ancillary: bytes

    @property
    def size(self) -> int:
        """Bytes of both together."""
        return len(self.data) + len(self.ancillary)


def ancillary(kind: Kind, settings: bytes, table: bytes) -> bytes:
    """The ancillary tensor: a 16-byte header, then the table.

    Args:
        kind: Which encoding.
        settings: Bytes 5 and following of the header; at most 11.
        table: What the decoder looks up.
    """
    head = bytes([_DECODE_TYPE[kind], _VERSION, 0, 0, _VERSION]) + settings
    return head.ljust(HEADER_BYTES, b"\0") + table


def packed_bits(codes: np.ndarray, lengths: np.ndarray) -> bytes:
    """Write codes one after the other, most significant bit first, the last byte filled with zeros.

    Args:
        codes: Unsigned integers, shape (n,).
        lengths: Bits of each, int64, shape (n,).
    """
    starts = np.concatenate([[0], np.cumsum(lengths)])
    bits = np.zeros(int(starts[-1]), np.uint8)
    for place in range(int(lengths.max(initial=0))):
        chosen = lengths > place
        shift = (lengths[chosen] - 1 - place).astype(np.uint64)
        bits[starts[:-1][chosen] + place] = (codes[chosen].astype(np.uint64) >> shift) & 1
    return np.packbits(bits).tobytes()

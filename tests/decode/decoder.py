"""A decoder of TFLite Micro's weight encodings, written from the description of the format alone."""

from __future__ import annotations

import numpy as np


class Bits:
    """A bit string, most significant bit of each byte first."""

    def __init__(self, data: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.position = 0

    def take(self, count: int) -> int:
        value = int(self.text[self.position : self.position + count].ljust(count, "0"), 2)
        self.position += count
        return value


def decode(
    data: bytes, ancillary: bytes, shape: tuple[int, ...], dtype: type, zero_points: list[int], axis: int
) -> np.ndarray:
    """The tensor an encoded one stands for."""
    kind, version = ancillary[0], ancillary[4]
    assert ancillary[1] == 1 and version == 1 and len(ancillary) >= 16
    flat = np.arange(int(np.prod(shape))).reshape(shape)
    channel = np.zeros(shape, int) if len(zero_points) == 1 else np.indices(shape)[axis]
    channels = channel.reshape(-1)[np.argsort(flat.reshape(-1))]
    if kind == 0:
        return _lut(data, ancillary, channels, dtype).reshape(shape)
    if kind == 2:
        return _pruned(data, ancillary, channels, dtype, zero_points).reshape(shape)
    assert kind == 1
    return _huffman(data, ancillary, flat.size, dtype).reshape(shape)


def _lut(data: bytes, ancillary: bytes, channels: np.ndarray, dtype: type) -> np.ndarray:
    width, stride = ancillary[5] & 7, ancillary[6]
    table: np.ndarray = np.frombuffer(ancillary[16:], dtype)
    bits = Bits(data)
    return np.asarray([table[channel * stride + bits.take(width)] for channel in channels], dtype)


def _pruned(data: bytes, ancillary: bytes, channels: np.ndarray, dtype: type, zeros: list[int]) -> np.ndarray:
    values, bits = iter(np.frombuffer(ancillary[16:], dtype)), Bits(data)
    return np.asarray(
        [next(values) if bits.take(1) else zeros[c if len(zeros) > 1 else 0] for c in channels], dtype
    )


def _huffman(data: bytes, ancillary: bytes, count: int, dtype: type) -> np.ndarray:
    wide = ancillary[5] & 1
    initial = (ancillary[5] >> 4) + 1
    value_bits = 27 if wide else 11
    table = np.frombuffer(ancillary[16:], np.uint32 if wide else np.uint16).tolist()
    assert len(data) % 4 == 0 and len(data) >= 4
    bits, found = Bits(data[:-4]), []
    for _ in range(count):
        taken, place = initial, 0
        place = bits.take(taken)
        while not table[place] >> (value_bits + 4):
            taken = ((table[place] >> value_bits) & 15) + 1
            place += (table[place] & ((1 << value_bits) - 1)) + bits.take(taken)
        bits.position -= taken - ((table[place] >> value_bits) & 15)
        found.append(table[place] & (0xFFFF if wide else 0xFF))
    assert bits.position <= len(bits.text)
    return np.asarray(found, np.int64).astype(dtype)

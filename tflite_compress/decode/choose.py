"""Choose an encoding for each tensor by bytes saved and decode time, with shared Huffman tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.decode.ancillary import Encoded, Kind
from tflite_compress.decode.bitmask import encode_prune
from tflite_compress.decode.huffman import Code, encode_huffman, make_code
from tflite_compress.decode.lut import encode_lut

Wanted = Literal["auto", "lut", "prune", "huffman"]

# Minimum bytes saved per decoded element, proportional to the decode time of TFLite Micro's reference
# kernels: 0.5 ns (4-bit indices) to 3 ns for a table, 3 to 6 ns for a mask, 6 to 8 ns for a Huffman code.
DECODE_PRICE: dict[Kind, float] = {"lut": 0.008, "prune": 0.015, "huffman": 0.025}
# A DECODE operator, its tensors and their buffers in the flatbuffer, and the padding around data.
OPERATOR_BYTES = 190
TABLE_BYTES = 76  # one more tensor and buffer, for a table that is not shared


@dataclass(frozen=True, eq=False)
class Weights:
    """A constant tensor that may be encoded.

    Attributes:
        values: Values in the shape and element type of the tensor.
        zero_points: Zero point of the tensor, shape (1,), or of each channel, shape (channels,).
        axis: The axis of the channels.
    """

    values: np.ndarray
    zero_points: np.ndarray
    axis: int

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels; None for a tensor without per-channel scales."""
        return self.axis if len(self.zero_points) > 1 else None

    @property
    def huffman_fits(self) -> bool:
        """True if TFLite Micro has a Huffman decoder for the element type."""
        return self.values.dtype in (np.int8, np.int16)


def choose_encodings(tensors: Mapping[int, Weights], wanted: Wanted) -> dict[int, Encoded]:
    """Return the best encoding of each tensor that gets smaller.

    Args:
        tensors: Tensors that may be encoded, by index.
        wanted: One encoding, or ``auto`` for the best encoding of each tensor.

    Returns:
        Encodings by tensor index, without tensors that would not get smaller.
    """
    simple = {index: _best_simple(weights, wanted) for index, weights in tensors.items()}
    costs = {index: _cost(simple[index], weights) for index, weights in tensors.items()}
    chosen = {index: encoded for index, encoded in simple.items() if encoded is not None}
    if wanted in ("auto", "huffman"):
        for code, members in _shared_codes(tensors, costs):
            for index in members:
                chosen[index] = encode_huffman(tensors[index].values, code)
    return chosen


def _best_simple(weights: Weights, wanted: Wanted) -> Encoded | None:
    """Return the cheaper encoding without a shared table, or None if none saves bytes."""
    found = []
    if wanted in ("auto", "lut"):
        found.append(encode_lut(weights.values, weights.channel_axis))
    if wanted in ("auto", "prune"):
        found.append(encode_prune(weights.values, weights.zero_points, weights.axis))
    paying = [e for e in found if e is not None and _cost(e, weights) < weights.values.nbytes]
    return min(paying, key=lambda e: _cost(e, weights)) if paying else None


def _cost(encoded: Encoded | None, weights: Weights) -> float:
    """Return the cost in bytes: bytes in the file plus the price of decoding."""
    if encoded is None:
        return float(weights.values.nbytes)
    price = DECODE_PRICE[encoded.kind] * weights.values.size
    return encoded.size + OPERATOR_BYTES + TABLE_BYTES + price


@dataclass
class _Group:
    """Tensors that may share a Huffman table."""

    members: list[int]
    counts: dict[int, int]
    others: float  # cost of the members without Huffman encoding, in bytes

    def merged(self, other: _Group) -> _Group:
        counts = dict(self.counts)
        for symbol, count in other.counts.items():
            counts[symbol] = counts.get(symbol, 0) + count
        return _Group([*self.members, *other.members], counts, self.others + other.others)

    @property
    def cost(self) -> float:
        """Estimated bytes: entropy of the data, 2.3 table entries per symbol, and the price of decoding."""
        counts = np.fromiter(self.counts.values(), np.float64)
        total = counts.sum()
        data = float(-(counts * np.log2(counts / total)).sum()) / 8 * 1.01
        table = 16 + 2.3 * 2 * len(counts) + TABLE_BYTES
        return data + table + OPERATOR_BYTES * len(self.members) + DECODE_PRICE["huffman"] * float(total)


def _shared_codes(tensors: Mapping[int, Weights], costs: dict[int, float]) -> list[tuple[Code, list[int]]]:
    """Return Huffman codes, each with the indices of the tensors that share it.

    The choice is greedy, the largest tensors first. Each tensor joins the group where it adds the least cost,
    or forms a new group.
    """
    groups: list[_Group] = []
    fitting = [i for i, weights in tensors.items() if weights.huffman_fits]
    for index in sorted(fitting, key=lambda i: -tensors[i].values.size):
        values = tensors[index].values
        symbols, counts = np.unique(values, return_counts=True)
        single = _Group([index], dict(zip(symbols.tolist(), counts.tolist(), strict=True)), costs[index])
        options: list[tuple[float, int | None]] = [(single.cost, None)]
        for number, group in enumerate(groups):
            if tensors[group.members[0]].values.dtype == values.dtype:
                options.append((group.merged(single).cost - group.cost, number))
        cost, joined = min(options, key=lambda option: option[0])
        if cost >= costs[index] and joined is not None:
            continue  # not smaller even with a shared table
        if joined is None:
            groups.append(single)
        else:
            groups[joined] = groups[joined].merged(single)
    return [
        (make_code([tensors[i].values for i in group.members]), group.members)
        for group in groups
        if group.cost < group.others
    ]

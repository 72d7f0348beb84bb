"""Which layers to encode: bytes saved against time and memory of decoding.

An encoded weight is decoded in each inference. A convolution uses a decoded weight at many positions, so
decoding takes little of its time. A dense layer uses it once, so decoding takes many times as long as the
layer itself. Decoded weights of one layer at a time live in the arena.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tflite_compress.decode.ancillary import Encoded, Kind
from tflite_compress.decode.choose import OPERATOR_BYTES, Weights

# Time to decode one weight, in multiply-accumulates of TFLite Micro's reference kernels for dense layers.
DECODE_MACS: dict[Kind, float] = {"lut": 2.5, "prune": 5.0, "huffman": 9.0}


@dataclass(frozen=True)
class Rule:
    """What bytes are worth.

    Encoding pays where ``bytes * time**time_weight * ram**ram_weight`` is below 1. Each factor is the
    encoded file's figure divided by that of the plain file.

    Attributes:
        time_weight: 0.25 accepts twice the time for 16 % fewer bytes.
        ram_weight: 0.1 accepts twice the arena for 7 % fewer bytes.
        min_saving: Share of the file that encoding must save.
    """

    time_weight: float = 0.25
    ram_weight: float = 0.1
    min_saving: float = 0.1

    def cost(self, size: float, time: float, ram: float) -> float:
        """Return the logarithm of the product above; below 0, encoding pays."""
        return math.log(size) + self.time_weight * math.log(time) + self.ram_weight * math.log(ram)

    def pays(self, size: float, time: float, ram: float) -> bool:
        """Return True if encoding pays and saves enough bytes; figures are those of :meth:`cost`."""
        return size <= 1 - self.min_saving and self.cost(size, time, ram) < 0


@dataclass(frozen=True)
class PlainFile:
    """The file without encoding: its bytes, its smallest arena in bytes, and its MACs."""

    bytes: int
    arena: int
    macs: int


def worth_encoding(
    chosen: Mapping[int, Encoded], tensors: Mapping[int, Weights], plain: PlainFile, rule: Rule
) -> dict[int, Encoded]:
    """Return the encodings that pay together; empty if none do.

    Beginning with all, the tensor whose decoding costs most for its bytes is left plain, as long as the rest
    is better without it.

    Args:
        chosen: The best encoding of each tensor, by index.
        tensors: The tensors.
        plain: The file without encoding.
        rule: What bytes are worth.
    """
    kept = dict(chosen)
    cost = rule.cost(*ratios(kept, tensors, plain))
    while kept:
        others = {index: {i: e for i, e in kept.items() if i != index} for index in kept}
        costs = {index: rule.cost(*ratios(rest, tensors, plain)) for index, rest in others.items()}
        best = min(costs, key=lambda index: costs[index])
        if costs[best] > cost:
            break
        kept, cost = others[best], costs[best]
    return kept if kept and rule.pays(*ratios(kept, tensors, plain)) else {}


def ratios(
    chosen: Mapping[int, Encoded], tensors: Mapping[int, Weights], plain: PlainFile
) -> tuple[float, float, float]:
    """Return estimates of bytes, time and arena as multiples of those of the plain file.

    Args:
        chosen: Encodings by tensor index.
        tensors: The tensors.
        plain: The file without encoding.
    """
    saved = sum(tensors[i].values.nbytes - len(e.data) - OPERATOR_BYTES for i, e in chosen.items())
    saved -= sum(len(table) for table in {e.ancillary for e in chosen.values()})
    decoding = sum(DECODE_MACS[e.kind] * tensors[i].values.size for i, e in chosen.items())
    largest = max((tensors[i].values.nbytes for i in chosen), default=0)
    macs = max(1, plain.macs)
    return (
        max(1, plain.bytes - saved) / plain.bytes,
        (macs + decoding) / macs,
        (plain.arena + largest) / plain.arena,
    )

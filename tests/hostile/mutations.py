"""Damaged copies of valid files: bits flipped, cut off, offsets spliced, shapes blown up."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from tflite_compress.tflite.flatbuffer import pack, unpack

NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000)


def mutated(content: bytes, seed: int) -> bytes:
    """One damaged copy; equal seeds give equal copies."""
    rng = random.Random(seed)
    return rng.choice(KINDS)(content, rng)


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Single bits anywhere, or in the tables before the weights."""
    spoilt = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        where = rng.randrange(len(spoilt) if rng.random() < 0.3 else min(len(spoilt), 4000))
        spoilt[where] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def cut(content: bytes, rng: random.Random) -> bytes:
    """The beginning, sometimes with zeros or noise behind it."""
    kept = content[: rng.randrange(len(content))]
    missing = len(content) - len(kept)
    return kept + rng.choice((b"", bytes(missing), rng.randbytes(min(missing, 1 << 16))))


def spliced(content: bytes, rng: random.Random) -> bytes:
    """Aligned words replaced by extreme numbers, or by words from elsewhere in the file."""
    spoilt = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = 4 * rng.randrange(min(len(spoilt), 6000) // 4)
        if rng.random() < 0.5:
            word = struct.pack("<I", rng.choice(NUMBERS))
        else:
            start = 4 * rng.randrange(len(spoilt) // 4)
            word = bytes(spoilt[start : start + 4])
        spoilt[at : at + len(word)] = word
    return bytes(spoilt)


def misshapen(content: bytes, rng: random.Random) -> bytes:
    """An intact container whose shapes, scales, indices or options make no sense."""
    model = unpack(content)
    graph = rng.choice(model.subgraphs)
    for _ in range(rng.choice((1, 2, 5))):
        tensor = rng.choice(graph.tensors)
        what = rng.randrange(6)
        tensor.shape = [] if tensor.shape is None else [int(d) for d in tensor.shape]
        if what == 0 and tensor.shape:
            tensor.shape[rng.randrange(len(tensor.shape))] = rng.choice((0, -1, 7, 65536, 2**24, 2**31 - 1))
        elif what == 1:
            tensor.shape = [rng.choice((1, 2, 300, 40000)) for _ in range(rng.randrange(8))]
        elif what == 2:
            tensor.type = rng.randrange(20)
        elif what == 3 and tensor.quantization is not None:
            tensor.quantization.scale = [rng.choice((0.0, -1.0, 1e-38, 1e38, float("nan"), float("inf")))]
        elif what == 4 and graph.operators:
            op = rng.choice(graph.operators)
            op.inputs = list(op.inputs)
            if op.inputs:
                op.inputs[rng.randrange(len(op.inputs))] = rng.randrange(-1, len(graph.tensors))
        elif graph.operators:
            _spoil_options(rng.choice(graph.operators), rng)
    return pack(model)


def _spoil_options(op: object, rng: random.Random) -> None:
    options = getattr(op, "builtinOptions", None)
    numbers = [name for name, value in vars(options).items() if type(value) is int] if options else []
    if numbers:
        setattr(options, rng.choice(numbers), rng.choice((0, 1, 2, 100, 127)))


KINDS: tuple[Callable[[bytes, random.Random], bytes], ...] = (flipped, cut, spliced, misshapen, misshapen)

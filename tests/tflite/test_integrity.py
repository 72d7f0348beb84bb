"""Files from elsewhere: every damage gives one clear error, and never a crash."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.data.raw import random_data
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.tflm_runtime import micro_runtime
from tflite_compress.support.errors import CompressError, ModelError
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.integrity import read_validated, validate
from tflite_compress.tflite.macs import count_work
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.tflite.tree import Buffer, ModelTree, Tensor


@pytest.fixture(scope="module")
def content(int8_file: Path) -> bytes:
    return int8_file.read_bytes()


def test_a_good_file_is_good(content: bytes, int8_file: Path) -> None:
    assert validate(content).subgraphs and read_validated(int8_file) == content


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: b"", "not a .tflite"),
        (lambda c: random.Random(0).randbytes(5000), "not a .tflite"),
        (lambda c: c[:4] + b"TFL3" + random.Random(0).randbytes(5000), "damaged"),
        (lambda c: c[: len(c) // 2], "damaged"),
        (lambda c: c[:1000], "damaged"),
        (lambda c: struct.pack("<I", 0x7FFFFFFF) + c[4:], "damaged"),
        (lambda c: struct.pack("<I", 4) + c[4:], "damaged"),
    ],
)
def test_broken_bytes(content: bytes, damage: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        validate(damage(content))


def edited(content: bytes, edit: Callable[[ModelTree], None]) -> bytes:
    model = unpack(content)
    edit(model)
    return pack(model)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 99), "its kind refers to number 99"),
        (
            lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [0, 5000, 1]),
            "inputs refers to number 5000",
        ),
        (lambda m: setattr(m.subgraphs[0].operators[0], "outputs", [-7]), "outputs refers to number -7"),
        (lambda m: setattr(m.subgraphs[0], "inputs", [12345]), "inputs refers to number 12345"),
        (lambda m: setattr(m.subgraphs[0].tensors[1], "buffer", 4000), "buffer refers to number 4000"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [1, -5, 8, 1]), "negative dimension"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [2**30, 2**30]), "more than any runtime"),
        (lambda m: setattr(m.signatureDefs[0].inputs[0], "tensorIndex", 777), "tensor refers to number 777"),
        (lambda m: setattr(m, "subgraphs", []), "no graph"),
        (lambda m: truncate_weights(m), "bytes of data for a shape"),
        (lambda m: spoil_scales(m), "scales do not fit"),
    ],
)
def test_indices_that_point_nowhere(content: bytes, edit: Callable[[ModelTree], None], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        validate(edited(content, edit))


def largest(model: ModelTree) -> Buffer:
    return max(model.buffers, key=lambda b: 0 if b.data is None else len(b.data))


def truncate_weights(model: ModelTree) -> None:
    buffer = largest(model)
    buffer.data = present(buffer.data)[:10]


def spoil_scales(model: ModelTree) -> None:
    tensor = next(t for t in model.subgraphs[0].tensors if len(scales_of(t)) > 1)
    present(tensor.quantization).scale = [*scales_of(tensor), 1.0, 2.0]


def test_a_list_that_claims_billions_of_entries_is_refused_at_once(content: bytes) -> None:
    root = struct.unpack_from("<I", content, 0)[0]
    vtable = root - struct.unpack_from("<i", content, root)[0]
    field = root + struct.unpack_from("<H", content, vtable + 4 + 2 * 4)[0]
    vector = field + struct.unpack_from("<I", content, field)[0]
    spoilt = content[:vector] + struct.pack("<I", 0xFFFFFFF0) + content[vector + 4 :]
    with pytest.raises(ModelError, match="reaches beyond the end"):
        validate(spoilt)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tflite", tmp_path):
        with pytest.raises(ModelError):
            read_validated(path)


@pytest.mark.slow
def test_random_damage_never_takes_the_process_down(content: bytes) -> None:
    """Each file is refused, or looks intact; what looks intact runs, or is refused by the child process."""
    rng = random.Random(7)
    intact = []
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 3, 10))):
            where = rng.randrange(len(damaged) if rng.random() < 0.5 else 3000)
            damaged[where] = rng.randrange(256)
        try:
            validate(bytes(damaged))
            intact.append(bytes(damaged))
        except ModelError:
            pass
    assert 50 < len(intact) < 290
    for spoilt in intact[:8]:
        ports = read_signature(spoilt)
        inputs = tuple(np.zeros((1, *p.fixed_shape), p.dtype) for p in ports.inputs)
        for runtime in (host_runtime(seconds=0), micro_runtime):
            try:
                runtime(spoilt, inputs)
            except CompressError as error:
                assert error.message


def scales_of(tensor: Tensor) -> list[float]:
    quantization = tensor.quantization
    return [] if quantization is None or quantization.scale is None else list(quantization.scale)


def with_external_weights(content: bytes, offset: int | None = None, size: int | None = None) -> bytes:
    """Store the largest buffer behind the flatbuffer, as files over 2 GB do.

    Args:
        content: A ``.tflite``.
        offset: Byte offset to record instead of the true one.
        size: Number of bytes to record instead of the true one.
    """
    model = unpack(content)
    buffer = largest(model)
    data = present(buffer.data).tobytes()
    buffer.data, buffer.offset, buffer.size = None, 1 << 30, len(data)
    start = -(-len(pack(model)) // 16) * 16
    buffer.offset = start if offset is None else offset
    buffer.size = len(data) if size is None else size
    return pack(model).ljust(start, b"\0") + data


def custom_model() -> bytes:
    """One custom operator with large custom options of 40 bytes behind the flatbuffer."""
    assembly = Assembly("custom")
    inside = assembly.tensor("x", (1, 4), "float32")
    outside = assembly.operator("CUSTOM", [inside], "y", (1, 4), "float32")
    model = unpack(assembly.finished({"x": inside}, {"y": outside}))
    model.operatorCodes[0].customCode = "Mine"
    op = model.subgraphs[0].operators[0]
    op.largeCustomOptionsOffset, op.largeCustomOptionsSize = 1 << 30, 40
    start = -(-len(pack(model)) // 16) * 16
    op.largeCustomOptionsOffset = start
    return pack(model).ljust(start, b"\0") + bytes(range(40))


def test_buffers_behind_the_flatbuffer_are_read(content: bytes) -> None:
    moved = with_external_weights(content)
    assert np.array_equal(present(largest(validate(moved)).data), present(largest(unpack(content)).data))
    assert count_work(moved) == count_work(content)
    inputs = random_data(read_signature(content), 2).raw
    runtime = host_runtime(seconds=0)
    before, after = runtime(content, inputs).outputs, runtime(moved, inputs).outputs
    assert before is not None and after is not None and np.array_equal(before[0], after[0])


@pytest.mark.parametrize(
    ("offset", "size"),
    [(10**9, None), (2**63, None), (2**64 - 1, 2), (None, 10**9), (None, 2**64 - 1), (2, 2**64 - 1)],
)
def test_buffers_outside_the_file_are_refused(content: bytes, offset: int | None, size: int | None) -> None:
    with pytest.raises(ModelError, match=r"buffer \d+: .* outside the file"):
        validate(with_external_weights(content, offset, size))


def test_a_buffer_behind_the_flatbuffer_must_be_long_enough_for_its_tensor(content: bytes) -> None:
    with pytest.raises(ModelError, match="bytes of data for a shape"):
        validate(with_external_weights(content, size=10))


def test_large_custom_options_are_read() -> None:
    options = validate(custom_model()).subgraphs[0].operators[0].customOptions
    assert present(options).tolist() == list(range(40))


@pytest.mark.parametrize(("field", "value"), [("Offset", 2**40), ("Size", 41), ("Size", 2**64 - 1)])
def test_large_custom_options_outside_the_file_are_refused(field: str, value: int) -> None:
    content = custom_model()
    generated = schema()
    op = generated.Model.GetRootAs(content).Subgraphs(0).Operators(0)
    slot = {"Offset": 22, "Size": 24}[field]
    where = op._tab.Pos + op._tab.Offset(slot)
    damaged = content[:where] + struct.pack("<Q", value) + content[where + 8 :]
    with pytest.raises(ModelError, match=r"custom options: .* outside the file"):
        validate(damaged)

"""The encoders against an independent decoder and against TFLite Micro's interpreter itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.decode.decoder import decode
from tflite_compress.decode.ancillary import Encoded
from tflite_compress.decode.bitmask import encode_prune
from tflite_compress.decode.choose import Weights, choose_encodings
from tflite_compress.decode.huffman import encode_huffman, make_code
from tflite_compress.decode.insert import with_decode
from tflite_compress.decode.lut import encode_lut

DTYPES: list[type[np.generic]] = [np.int8, np.int16, np.int32, np.float32]


@st.composite
def weights(draw: Any, dtypes: list[type[np.generic]] = DTYPES) -> Weights:
    """Tensors as models have them: few values, many zeros, or anything; per tensor or per channel."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=4, max_side=9))
    if dtype.kind == "f":
        elements = st.floats(-100, 100, width=32)
    else:
        spread = draw(st.sampled_from([1, 3, 20, 127]))
        elements = st.integers(-spread, spread)
    values = draw(arrays.arrays(dtype, shape, elements=elements))
    axis = draw(st.sampled_from([None, 0, len(shape) - 1]))
    if axis is None or shape[axis] < 2 or dtype.kind == "f":
        return Weights(values, np.zeros(1, np.int64), 0)
    points = st.integers(-3, 3) if dtype == np.int8 else st.just(0)
    zero_points = draw(arrays.arrays(np.int64, shape[axis], elements=points))
    return Weights(values, zero_points, axis)


def encoded(kind: str, tensor: Weights) -> Encoded | None:
    if kind == "lut":
        return encode_lut(tensor.values, tensor.channel_axis)
    if kind == "prune":
        return encode_prune(tensor.values, tensor.zero_points, tensor.axis)
    return encode_huffman(tensor.values, make_code([tensor.values])) if tensor.huffman_fits else None


def decoded(encoding: Encoded, tensor: Weights) -> np.ndarray:
    values = tensor.values
    points = tensor.zero_points.tolist()
    return decode(encoding.data, encoding.ancillary, values.shape, values.dtype.type, points, tensor.axis)


def on_tflm(tensor: Weights, encoding: Encoded) -> np.ndarray:
    """Let TFLite Micro decode: a model whose only output is the tensor."""
    from tflite_micro.python.tflite_micro import runtime
    from tflite_micro.tensorflow.lite.micro.compression import model_editor
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    types = schema.TensorType
    dtypes = {"int8": types.INT8, "int16": types.INT16, "int32": types.INT32, "float32": types.FLOAT32}
    quantization = None
    if tensor.values.dtype.kind != "f":
        count = len(tensor.zero_points)
        quantization = model_editor.Quantization(
            scales=[0.5] * count,
            zero_points=tensor.zero_points.tolist(),
            axis=tensor.axis if count > 1 else None,
        )
    constant = model_editor.Tensor(
        shape=tensor.values.shape,
        dtype=dtypes[tensor.values.dtype.name],
        data=tensor.values,
        quantization=quantization,
        name="weights",
    )
    unused = model_editor.Tensor(shape=(1,), dtype=types.FLOAT32, name="input")
    graph = model_editor.Subgraph(tensors=[unused, constant], inputs=[unused], outputs=[constant])
    content = with_decode(bytes(model_editor.Model(subgraphs=[graph]).build()), {1: encoding})
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 17)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


@pytest.mark.parametrize("kind", ["lut", "prune", "huffman"])
@settings(max_examples=150, deadline=None)
@given(tensor=weights())
def test_the_independent_decoder_gives_the_values_back(kind: str, tensor: Weights) -> None:
    encoding = encoded(kind, tensor)
    if encoding is not None:
        assert decoded(encoding, tensor).tobytes() == tensor.values.tobytes()


@pytest.mark.parametrize("kind", ["lut", "prune", "huffman"])
@settings(max_examples=60, deadline=None)
@given(tensor=weights())
def test_tflite_micro_gives_the_values_back(kind: str, tensor: Weights) -> None:
    encoding = encoded(kind, tensor)
    if encoding is not None:
        assert on_tflm(tensor, encoding).tobytes() == tensor.values.tobytes()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30), spread=st.floats(0.3, 60), count=st.integers(1, 5000))
def test_huffman_stays_close_to_the_entropy(seed: int, spread: float, count: int) -> None:
    values = np.random.default_rng(seed).normal(0, spread, count).round().clip(-128, 127).astype(np.int8)
    encoding = encode_huffman(values, make_code([values]))
    _, counts = np.unique(values, return_counts=True)
    entropy_bytes = -(counts * np.log2(counts / count)).sum() / 8
    assert len(encoding.data) <= entropy_bytes + count / 8 + 8
    assert decode(encoding.data, encoding.ancillary, (count,), np.int8, [0], 0).tobytes() == values.tobytes()


def test_long_codes_need_several_levels() -> None:
    counts = [int(1.6**k) for k in range(24)]  # Fibonacci-like: the deepest possible tree
    values = np.repeat(np.arange(24, dtype=np.int8), counts)
    code = make_code([values])
    encoding = encode_huffman(values[::97], code)
    first_level_bits = (code.ancillary[5] >> 4) + 1
    assert int(code.lengths.max()) > 2 * first_level_bits and len(code.ancillary) < 16 + 2 * 200
    assert np.array_equal(
        decode(encoding.data, code.ancillary, values[::97].shape, np.int8, [0], 0), values[::97]
    )
    assert np.array_equal(on_tflm(Weights(values[::97], np.zeros(1, int), 0), encoding), values[::97])


def test_tables_too_large_for_narrow_entries() -> None:
    values = np.random.default_rng(0).integers(-9000, 9000, 20000).astype(np.int16)
    encoding = encode_huffman(values, make_code([values]))
    assert encoding.ancillary[5] & 1
    tensor = Weights(values, np.zeros(1, int), 0)
    assert np.array_equal(decoded(encoding, tensor), values) and np.array_equal(
        on_tflm(tensor, encoding), values
    )


def tensors_like_a_model() -> dict[int, Weights]:
    rng = np.random.default_rng(0)
    gaussian = {i: rng.normal(0, 20, 4000 + i).round().clip(-127, 127).astype(np.int8) for i in range(6)}
    clustered = {10: rng.integers(0, 8, (64, 64)).astype(np.int8) * 31 - 120}
    sparse = {20: (rng.integers(-127, 127, (64, 64)) * (rng.random((64, 64)) < 0.1)).astype(np.int8)}
    tiny = {30: np.arange(40, dtype=np.int8)}
    return {
        i: Weights(v, np.zeros(1, np.int64), 0) for i, v in (gaussian | clustered | sparse | tiny).items()
    }


def test_automatic_choice_takes_what_fits_and_shares_tables() -> None:
    tensors = tensors_like_a_model()
    chosen = choose_encodings(tensors, "auto")
    assert {chosen[i].kind for i in range(6)} == {"huffman"}
    assert len({chosen[i].ancillary for i in range(6)}) == 1
    assert chosen[10].kind == "lut" and 30 not in chosen
    assert chosen[20].kind in ("prune", "huffman")
    total = sum(e.size for i, e in chosen.items() if i < 6) - 5 * len(chosen[0].ancillary)
    assert total < 0.9 * sum(tensors[i].values.nbytes for i in range(6))


@pytest.mark.parametrize("wanted", ["lut", "prune", "huffman", "auto"])
def test_nothing_is_ever_enlarged(wanted: Any) -> None:
    tensors = tensors_like_a_model()
    noise = np.random.default_rng(1).integers(-128, 128, 3000).astype(np.int8)
    tensors[40] = Weights(noise, np.zeros(1, np.int64), 0)
    chosen = choose_encodings(tensors, wanted)
    assert 40 not in chosen and chosen
    assert all(wanted in ("auto", e.kind) for e in chosen.values())
    tables = {e.ancillary for e in chosen.values()}
    encoded_bytes = sum(len(e.data) for e in chosen.values()) + sum(map(len, tables))
    assert encoded_bytes < sum(tensors[i].values.nbytes for i in chosen)

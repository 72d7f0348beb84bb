from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.narrow import present
from tests.passes.test_convert import run
from tflite_compress.passes import Context, ConvertedModel, FloatModel
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.slim import Slim
from tflite_compress.support.errors import ConversionError
from tflite_compress.tflite import slim_file as slim
from tflite_compress.tflite.flatbuffer import tensor_name, unpack


@pytest.fixture(scope="module")
def int8(context: Context, start: FloatModel) -> ConvertedModel:
    return Convert(precision="int8").apply(start, context)


def test_slim_levels_drop_metadata_and_names_and_keep_outputs(context: Context, int8: ConvertedModel) -> None:
    levels: tuple[slim.Level, ...] = ("none", "safe", "full")
    none, safe, full = (Slim(slim=level).apply(int8, context) for level in levels)
    assert none.flatbuffer == int8.flatbuffer
    assert len(full.flatbuffer) < len(safe.flatbuffer) < 0.93 * len(int8.flatbuffer)
    for slimmed in (safe, full):
        assert slimmed.notes == int8.notes  # no step had to be left out
        assert all(
            np.array_equal(a, b) for a, b in zip(run(int8, context), run(slimmed, context), strict=True)
        )
    model = unpack(safe.flatbuffer)
    assert [s.signatureKey for s in present(model.signatureDefs)] == [b"serving_default"]
    assert {m.name for m in present(model.metadata)} == {b"min_runtime_version"}
    bare = unpack(full.flatbuffer)
    assert not bare.signatureDefs and not bare.metadata
    graph = bare.subgraphs[0]
    names = {tensor_name(graph.tensors[i]) for i in [*graph.inputs, *graph.outputs]}
    assert names == {p.name for p in (*int8.network.inputs, *int8.network.outputs)}


def test_a_step_that_changes_outputs_is_left_out(
    context: Context, int8: ConvertedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_scale(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            if tensor.quantization is not None and tensor.quantization.scale is not None:
                tensor.quantization.scale = tensor.quantization.scale * 2
                tensor.name = b""

    steps = (break_scale, slim.list_slimming_steps("safe")[0])
    monkeypatch.setattr(slim, "list_slimming_steps", lambda level, layers: steps)
    slimmed = Slim().apply(int8, context)
    assert any("break_scale" in note for note in [n.text for n in slimmed.notes])
    assert len(slimmed.flatbuffer) < len(int8.flatbuffer)
    assert all(np.array_equal(a, b) for a, b in zip(run(int8, context), run(slimmed, context), strict=True))


def test_equal_constants_are_stored_once(int8: ConvertedModel) -> None:
    model = unpack(int8.flatbuffer)
    data = np.arange(64, dtype=np.uint8)
    chosen = [t for t in model.subgraphs[0].tensors if model.buffers[t.buffer].data is not None][:2]
    for tensor in chosen:
        model.buffers[tensor.buffer].data = data.copy()
    count = len(model.buffers)
    slim.merge_buffers(model)
    assert chosen[0].buffer == chosen[1].buffer and len(model.buffers) < count


def test_it_comes_after_the_conversion(context: Context, start: FloatModel) -> None:
    with pytest.raises(ConversionError, match="'slim' comes before the conversion"):
        Slim().run(start, context)

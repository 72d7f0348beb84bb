"""Recurrent layers are unrolled for a GPU, and the accelerator takes the whole file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scoring.test_gpu_score import check, converted
from tflite_compress.models.unroll import recurrent_layers
from tflite_compress.passes import FloatModel
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.gpu_graph import GpuGraph
from tflite_compress.passes.unroll_recurrent import Unroll
from tflite_compress.runtimes.litert import predict


@pytest.mark.slow
def test_an_lstm_is_unrolled(gpu_driver: Path, keras2: Any) -> None:
    layers = keras2.layers
    keras2.utils.set_random_seed(0)
    steps = keras2.Input((6, 4), name="steps")
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True), name="both")(steps)
    model = keras2.Model(steps, layers.Dense(2, name="answer")(layers.LSTM(8, name="memory")(x)))
    fused, context = converted(model)
    network = context.reference.network
    assert recurrent_layers(network) == ["both", "memory"]
    start = Unroll().apply(FloatModel(network), context)
    assert recurrent_layers(start.network) == [] and "both, memory" in start.notes[0].text
    plain = Convert(precision="float32", io="float32").apply(start, context)
    made = GpuGraph().apply(plain, context)
    samples, names = context.reference.splits.evaluate.inputs, network.tensor_names
    before, after = (predict(m.flatbuffer, samples, *names, workers=1)[0] for m in (fused, made))
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert check(fused, context).score is None or not check(fused, context).score.is_whole  # type: ignore[union-attr]
    found = check(made, context).score
    assert found is not None and found.is_whole and found.by_output["answer"].max_difference < 0.01

"""Store pruned weights in the sparse format of ``.tflite``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.passes.base import Context
from tflite_compress.passes.values import ConvertedModel, DenseFile
from tflite_compress.runtimes.litert import predict
from tflite_compress.support.errors import ConversionError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.models.network import Network

CHECKED_SAMPLES = 8


def stored_sparsely(
    settings: ConverterSettings, dense: ConvertedModel, network: Network, context: Context
) -> ConvertedModel:
    """Return the model in the sparse format, or the dense model with a note that gives the reason."""
    samples = context.reference.splits.calibrate.inputs
    inputs = tuple(x[:CHECKED_SAMPLES] for x in samples)
    ports = network.tensor_names
    try:
        with context.progress.step("storing zeros sparsely", len(samples[0])) as advance:
            content, _ = convert_network(network, settings, samples, advance, sparse=True)
            outputs = predict(content, inputs, *ports, workers=1)
    except ConversionError as error:
        return dense.noting(
            Note("stored-densely", f"zeros are stored densely: with sparse storage, {error.message}")
        )
    pairs = zip(predict(dense.flatbuffer, inputs, *ports, workers=1), outputs, strict=True)
    if not all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in pairs):
        return dense.noting(
            Note("stored-densely", "zeros are stored densely: outputs would change with sparse storage")
        )
    if len(content) >= len(dense.flatbuffer):
        return dense.noting(
            Note("stored-densely", "zeros are stored densely: sparse storage would not make the file smaller")
        )
    return replace(dense, flatbuffer=content).with_fact(DenseFile(dense.flatbuffer))

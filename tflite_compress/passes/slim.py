"""Slimming the flatbuffer; kept only if every output stays the same bit for bit."""

from __future__ import annotations

from dataclasses import replace

from tflite_compress.errors import ConversionError
from tflite_compress.passes.base import Context, Model, PassConfig

CHECKED_SAMPLES = 8


class Slim(PassConfig, frozen=True, tag="slim"):
    """Take out of the file what only people read.

    Attributes:
        names: Shorten the names of inner tensors to their layer's.
    """

    names: bool = True


def apply(config: Slim, model: Model, context: Context) -> Model:
    """Slim a converted model.

    Args:
        config: What to take out.
        model: A converted model.
        context: Gives the samples outputs are compared on.

    Raises:
        ConversionError: The model is not converted yet.
    """
    import numpy as np

    from tflite_compress.runtimes.litert import predict
    from tflite_compress.tflite.slim import slim_names

    if model.flatbuffer is None:
        raise ConversionError("pass 'slim' comes before 'convert'", "Put it last in the recipe.")
    if not config.names:
        return model
    slimmed = slim_names(model.flatbuffer)
    ports = (tuple(p.name for p in model.network.inputs), tuple(p.name for p in model.network.outputs))
    inputs = tuple(x[:CHECKED_SAMPLES] for x in context.reference.splits.calibrate.inputs)
    before = predict(model.flatbuffer, inputs, *ports, workers=1)
    after = predict(slimmed, inputs, *ports, workers=1)
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True)):
        return model.noting("tensor names kept: without them the outputs changed")
    return replace(model, flatbuffer=slimmed)

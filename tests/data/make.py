"""Write the stored models of this folder again: ``python -m tests.data.make``."""

from __future__ import annotations

from tests.conftest import DATA


def zero_scale() -> bytes:
    """Attention with int16 activations; the converter gives an input of SUB, all zeros, the scale 0."""
    from tests.models.test_bridge import shake_weights
    from tests.models.zoo import models
    from tflite_compress.data.gather import DataSpec, gather
    from tflite_compress.models.load import load_model
    from tflite_compress.passes import Context, FloatModel
    from tflite_compress.passes.convert import Convert
    from tflite_compress.scoring.reference import make_reference
    from tflite_compress.support.backend import keras3
    from tflite_compress.support.progress import Silent

    model = models(keras3())["attention"]()
    shake_weights(model)
    source = load_model(model)
    splits = gather(DataSpec(), source.network, 0)
    context = Context(make_reference(source.network, splits, source.loss, None, None), 0, Silent())
    return Convert(precision="int16x8").apply(FloatModel(source.network), context).flatbuffer


if __name__ == "__main__":
    (DATA / "zero_scale.tflite").write_bytes(zero_scale())

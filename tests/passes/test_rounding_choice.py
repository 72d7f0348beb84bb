"""Another rounding of 4-bit weights is taken where its file is significantly closer to the float network."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import msgspec
import numpy as np
import pytest

from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.adaround import AdaRound
from tflite_compress.passes.int4 import Int4
from tflite_compress.passes.values import FourBitRounding, LayerTypes
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.progress import Silent

ALL = Int4(precision="int8", max_calibration_drop=1.0)


@pytest.fixture(scope="module")
def dense(keras2: ModuleType) -> tuple[FloatModel, Context]:
    """A dense layer whose inputs depend on each other, so that GPTQ is much better."""
    keras2.utils.set_random_seed(0)
    network = load_model(
        keras2.Sequential([keras2.Input((32,)), keras2.layers.Dense(16, name="dense")])
    ).network
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(400, 4)) @ rng.normal(size=(4, 32))).astype(np.float32)
    spec = DataSpec(train=x, calibrate=x[:100], evaluate=x[:50])
    reference = make_reference(network, gather(spec, network, 0), None, None, None)
    return FloatModel(network), Context(reference, 0, Silent())


def test_the_closest_rounding_is_taken(dense: tuple[FloatModel, Context]) -> None:
    model, context = dense
    four = ALL.apply(model, context)
    assert four.fact(FourBitRounding).rounding == "gptq"
    text = next(n.text for n in four.notes if n.code == "rounding-chosen")
    assert "FULLY_CONNECTED by GPTQ" in text and text.count(" %") == 2


@pytest.mark.slow
def test_learned_weights_are_rounded_to_nearest(dense: tuple[FloatModel, Context]) -> None:
    model, context = dense
    four = model.with_fact(FourBitRounding("octav")).with_fact(LayerTypes({"dense": "int4"}))
    learned = AdaRound(precision="int8", steps=200).apply(four, context)
    assert learned.network is not four.network
    assert learned.fact(FourBitRounding).rounding == "nearest"


def test_rounding_to_nearest_stays_where_nothing_shows_another(dense: tuple[FloatModel, Context]) -> None:
    model, context = dense
    fixed = msgspec.structs.replace(ALL, rounding="octav").apply(model, context)
    assert fixed.fact(FourBitRounding).rounding == "octav"
    assert not any(n.code == "rounding-chosen" for n in fixed.notes)
    splits = gather(DataSpec(), model.network, 0)
    on_random = replace(context, reference=replace(context.reference, splits=splits))
    assert ALL.apply(model, on_random).find(FourBitRounding) is None
    none = msgspec.structs.replace(ALL, rounding="octav", exclude=(".*",)).apply(model, context)
    assert none.find(FourBitRounding) is None

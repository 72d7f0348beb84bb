"""Passes and candidates do not repeat a step on the same network with the same settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tflite_compress.conversion import converter, per_layer
from tflite_compress.conversion.per_layer import Plain, quantized
from tflite_compress.models.network import Network
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.adaround import AdaRound
from tflite_compress.passes.algorithms import learned_rounding
from tflite_compress.passes.bias_correct import BiasCorrect
from tflite_compress.passes.calibration import Calibration
from tflite_compress.passes.convert import Convert, flatbuffer, plain_file
from tflite_compress.passes.mixed import Mixed
from tflite_compress.passes.shared_results import MAX_RESULTS, SharedResults
from tflite_compress.pipeline.plan import make_plan
from tflite_compress.support.errors import ConversionError


def network() -> Network:
    return Network("net", object(), (), ())


def test_a_step_is_computed_once_for_a_network_and_its_settings() -> None:
    shared, net = SharedResults(), network()
    asked: list[int] = []

    def compute() -> int:
        asked.append(len(asked))
        return asked[-1]

    assert [shared.once("step", net, "a", compute) for _ in range(3)] == [0, 0, 0]
    assert shared.once("step", net, "b", compute) == 1 and shared.once("other", net, "a", compute) == 2
    assert shared.once("step", network(), "a", compute) == 3
    assert shared.once("cut", net, None, compute, lambda: False) == 4
    assert shared.once("cut", net, None, compute) == 5
    assert shared.holds("cut", net, None) and not shared.holds("cut", net, 1)


def test_a_refusal_is_met_once_and_old_results_are_dropped() -> None:
    shared, net = SharedResults(), network()
    asked: list[str] = []

    def refuse() -> None:
        asked.append("refused")
        raise ConversionError("no kernel")

    for _ in range(2):
        with pytest.raises(ConversionError, match="no kernel"):
            shared.once("step", net, None, refuse)
    assert asked == ["refused"]
    for number in range(MAX_RESULTS):
        shared.once("other", net, number, lambda: None)
    assert not shared.holds("step", net, None) and shared.holds("other", net, 0)


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[str]:
    """Count the calls of a function."""
    calls: list[str] = []
    original: Callable[..., Any] = getattr(module, name)

    def call(*args: Any, **settings: Any) -> Any:
        calls.append(name)
        return original(*args, **settings)

    monkeypatch.setattr(module, name, call)
    return calls


@pytest.mark.slow
def test_fallbacks_repeat_no_step_of_the_repairs(
    start: FloatModel, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = replace(context, shared=SharedResults())
    learned = counted(monkeypatch, learned_rounding, "learn")
    converted = counted(monkeypatch, converter, "convert_network")
    found = []
    for precision in ("int8", "int16x8", "dynamic"):
        model = start
        for step in (AdaRound(precision=precision, steps=2), BiasCorrect(precision=precision)):
            model = step.apply(model, context)
        found.append(model)
    layers = [type(layer).__name__ for layer in start.network.handle.layers]
    assert len(learned) == sum(kind in learned_rounding.LEARNED for kind in layers)
    # three precisions of the original, the rounded and at most two corrected networks
    assert len(converted) <= 3 * 4
    made = len(converted)
    assert Convert(io="float32").apply(found[0], context).flatbuffer
    assert len(converted) == made, "the repair has converted it already"


def test_passes_about_activations_are_left_out_where_these_stay_float() -> None:
    plan = make_plan("raspberry-pi-4", "repair-mixed", {})
    tags = {c.conversion.precision: [p.tag() for p in c.passes] for c in plan.candidates}
    assert {"calibration", "mixed", "adaround"} <= {*tags["int8"]} and "mixed" in tags["int16x8"]
    assert not {"calibration", "mixed"} & {*tags["dynamic"], *tags["float16"]}
    assert Mixed.for_activations and Calibration.for_activations and not AdaRound.for_activations


def test_trials_share_the_decoded_file_and_give_equal_bytes(
    start: FloatModel, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = replace(context, shared=SharedResults())
    plain = plain_file(start, True, context)
    assert plain_file(start, False, context) is plain, "statistics with histograms serve both"
    ranges = counted(monkeypatch, per_layer, "chosen_range")
    last = plain.layers[-1].name
    trials: list[tuple[dict[str, Any], Any]] = [
        ({}, "mse"),
        ({last: "int16x8"}, "mse"),
        ({last: "float32"}, "mse"),
        ({}, "mse"),
    ]
    shared = [quantized(plain, "int8", types, method, False).content for types, method in trials]
    assert len(ranges) == len(plain.observed)
    alone = [
        quantized(Plain(plain.content, plain.observed, plain.layers), "int8", types, method, False).content
        for types, method in trials
    ]
    assert shared == alone and shared[0] == shared[3] != shared[1]


def test_a_network_is_converted_once_with_the_same_settings(
    start: FloatModel, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = replace(context, shared=SharedResults())
    converted = counted(monkeypatch, converter, "convert_network")
    config = Convert(precision="float32", io="float32")
    first, second = (flatbuffer(config, start, context) for _ in range(2))
    assert first == second and len(converted) == 1

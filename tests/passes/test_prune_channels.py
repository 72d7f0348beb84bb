from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.models.zoo import models
from tests.passes.test_convert import random_context
from tflite_compress.channels.cost import costs
from tflite_compress.channels.dependencies import trace
from tflite_compress.passes import Context, FloatModel, Model
from tflite_compress.passes.algorithms import channel_ranking, finetune, harm
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.prune_channels import PruneChannels, _schedule
from tflite_compress.passes.training import Training
from tflite_compress.passes.values import ChannelWidths
from tflite_compress.support.errors import ConfigError, ModelError

QUICK: dict[str, Any] = {
    "training": Training(epochs=1, min_steps=80),
    "recovery_steps": 20,
    "rounds": 2,
    "multiple": 4,
}


def share(model: Model, start: FloatModel, what: Any) -> float:
    before, after = (costs(trace(m.network.handle), "int8") for m in (start, model))
    return after.total(what, after.sizes.astype(float)) / before.total(what, before.sizes.astype(float))


def score(model: Model, context: Context) -> float:
    outputs = model.network.predict(context.reference.splits.evaluate.inputs)
    return context.reference.score_of(outputs).value


@pytest.mark.slow
def test_macs_come_down_and_the_accuracy_stays(context: Context, start: FloatModel) -> None:
    before = [w.copy() for w in start.network.handle.get_weights()]
    smaller = PruneChannels(target_macs=0.5, multiple=4).apply(start, context)
    assert share(smaller, start, "macs") <= 0.51
    assert score(smaller, context) >= context.reference.score.value - 0.02
    assert smaller.fact(ChannelWidths).by_layer and all(
        now % 4 == 0 and now < was for was, now in smaller.fact(ChannelWidths).by_layer.values()
    )
    assert [p.shape for p in smaller.network.inputs] == [p.shape for p in start.network.inputs]
    assert any("removable channels were removed" in note for note in [n.text for n in smaller.notes])
    codes = {note.code for note in smaller.notes}
    assert "weights-kept" in codes and codes & {"training-helped", "training-undone"}
    after = start.network.handle.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("criterion", ["l1", "l2", "bn_gamma"])
def test_size_and_other_criteria(
    context: Context, start: FloatModel, criterion: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harm, "JUDGED_STEPS", 80)
    config = PruneChannels(target_size=0.5, criterion=criterion, reconstruct=False, **QUICK)
    smaller = config.apply(start, context)
    assert share(smaller, start, "bytes") <= 0.51
    assert "training-helped" in {note.code for note in smaller.notes}


@pytest.mark.slow
def test_latency_is_measured(context: Context, start: FloatModel) -> None:
    said = PruneChannels(target_latency_ratio=0.6, precision="float32", **QUICK).apply(start, context)
    assert share(said, start, "macs") < 0.95  # how far depends on the machine; that it acts does not


@pytest.mark.slow
def test_single_layers_keep_what_they_are_asked_to(context: Context, start: FloatModel) -> None:
    config = PruneChannels(
        keep=("^conv_2$=0.5",),
        multiple=4,
        rounds=2,
        recovery_steps=0,
        training=Training(epochs=0, min_steps=0),
    )
    smaller = config.apply(start, context)
    was, now = smaller.fact(ChannelWidths).by_layer["conv_2"]
    assert now == was // 2 and set(smaller.fact(ChannelWidths).by_layer) <= {"conv_2", *_depthwise(start)}


@pytest.mark.slow
def test_channels_of_the_original_are_ranked_once(
    context: Context, start: FloatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    ranked = channel_ranking._ranked

    def counting(*arguments: Any) -> Any:
        counted.append(1)
        return ranked(*arguments)

    monkeypatch.setattr(channel_ranking, "_ranked", counting)
    config = PruneChannels(samples=77, rounds=1, recovery_steps=0, training=Training(epochs=0, min_steps=0))
    for target in (0.9, 0.8):
        msgspec.structs.replace(config, target_macs=target).apply(start, context)
    assert len(counted) == 1
    config.apply(start, replace(context, seed=5))
    assert len(counted) == 2


@pytest.mark.slow
def test_a_start_that_is_solved_for_is_nearer(context: Context, start: FloatModel) -> None:
    none: Any = {"rounds": 1, "recovery_steps": 0, "training": Training(epochs=0, min_steps=0)}
    inputs = context.reference.splits.evaluate.inputs
    wanted = start.network.predict(inputs)[0]
    errors = []
    for asked in (False, True):
        config = PruneChannels(target_macs=0.7, criterion="l1", multiple=4, reconstruct=asked, **none)
        found = config.apply(start, context)
        assert share(found, start, "macs") <= 0.71
        errors.append(np.mean((found.network.predict(inputs)[0] - wanted) ** 2))
    assert errors[1] < errors[0] / 2


def _depthwise(start: FloatModel) -> set[str]:
    return {layer.name for layer in start.network.handle.layers if "depthwise" in layer.name}


@pytest.mark.slow
def test_what_cannot_be_reached_is_said(context: Context, start: FloatModel) -> None:
    smaller = PruneChannels(target_macs=0.001, **QUICK).apply(start, context)
    (note,) = [note for note in smaller.notes if note.code == "target-not-reached"]
    assert "of the MACs, not 0%" in note.text


@pytest.mark.slow
def test_an_interrupted_run_continues_in_its_round(
    context: Context, start: FloatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harm, "JUDGED_STEPS", 80)
    config = PruneChannels(target_macs=0.5, **QUICK)
    resumable = replace(context, checkpoints=tmp_path / "run")
    expected = config.apply(start, replace(context, checkpoints=None)).network.handle.get_weights()
    real, calls = finetune.finetune, []

    def interrupted_in_second_round(*args: Any, **kwargs: Any) -> Any:
        calls.append(args[3])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(finetune, "finetune", interrupted_in_second_round)
        with pytest.raises(KeyboardInterrupt):
            config.apply(start, resumable)
    assert list(tmp_path.iterdir())
    found = config.apply(start, resumable).network.handle.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_free_input_size_is_taken_from_the_data(keras: ModuleType) -> None:
    layers = keras.layers
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(inputs)
    x = layers.Conv2D(32, 3, strides=2, activation="relu")(x)
    context, start = random_context(keras.Model(inputs, layers.GlobalAveragePooling2D()(x)))
    smaller = PruneChannels(target_macs=0.6, **QUICK).apply(start, context)
    assert smaller.network.inputs[0].shape == (None, None, None, 3)
    assert smaller.fact(ChannelWidths).by_layer


@pytest.mark.slow
@pytest.mark.parametrize("name", ["multi_input", "nested_and_shared", "multi_output"])
def test_kinds_of_model(keras: ModuleType, name: str) -> None:
    context, start = random_context(models(keras)[name]())
    smaller = PruneChannels(target_size=0.7, **{**QUICK, "multiple": 1}).apply(start, context)
    assert smaller.network.parameter_count() < start.network.parameter_count()


def test_a_model_without_removable_channels(keras: ModuleType) -> None:
    inputs = keras.Input((4,))
    context, start = random_context(keras.Model(inputs, keras.layers.Dense(3)(inputs)))
    with pytest.raises(ModelError, match="no channels to remove"):
        PruneChannels(target_macs=0.5, **QUICK).apply(start, context)


def test_a_wrong_expression(context: Context, start: FloatModel) -> None:
    with pytest.raises(ConfigError, match="exclude"):
        PruneChannels(target_macs=0.5, exclude=("(",), **QUICK).apply(start, context)


@pytest.mark.slow
def test_excluded_layers_stay(context: Context, start: FloatModel) -> None:
    smaller = PruneChannels(target_macs=0.5, exclude=("hidden",), **QUICK).apply(start, context)
    assert "hidden" not in smaller.fact(ChannelWidths).by_layer and smaller.fact(ChannelWidths).by_layer


@pytest.mark.parametrize(
    ("settings", "between", "at_end"),
    [
        ({}, 100, 600),
        ({"training": Training(epochs=1)}, 10, 10),
        ({"training": Training(epochs=1, min_steps=80), "recovery_steps": 20}, 20, 80),
        ({"training": Training(epochs=8)}, 80, 80),
    ],
)
def test_fewer_epochs_shorten_every_round(settings: Any, between: int, at_end: int) -> None:
    config = PruneChannels(**settings)
    steps = [_schedule(config, last, 1280).total_steps(1280) for last in (False, True)]
    assert steps == [between, at_end]


@pytest.mark.parametrize(("samples", "augments"), [(5000, True), (6000, False)])
def test_fewer_epochs_than_elsewhere_are_augmented(samples: int, augments: bool) -> None:
    assert _schedule(PruneChannels(), True, samples).is_long(samples) is augments  # 15.4 and 12.8 epochs
    assert not _schedule(PruneChannels(), False, samples).is_long(samples)
    assert not finetune.Schedule.of(PruneChannels().training).is_long(samples)


@pytest.mark.parametrize(("epochs", "augments"), [(50, True), (49, False)])
def test_other_passes_augment_from_50_epochs(epochs: int, augments: bool) -> None:
    training = Prune(training=Training(epochs=epochs, batch_size=40)).training
    assert finetune.Schedule.of(training).is_long(40) is augments

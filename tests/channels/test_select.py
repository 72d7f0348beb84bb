from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.channels.cost import Costs, costs
from tflite_compress.channels.dependencies import Dependencies, trace
from tflite_compress.channels.families import families, max_kept, shares_asked
from tflite_compress.channels.saliency import from_weights, taylor
from tflite_compress.channels.select import choose
from tflite_compress.support.errors import ConfigError


@pytest.fixture(scope="module")
def model(keras2: ModuleType) -> Any:
    keras2.utils.set_random_seed(3)
    layers = keras2.layers
    inputs = keras2.Input((8, 8, 3))
    x = layers.Conv2D(24, 3, padding="same", name="early")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Conv2D(32, 3, strides=2, name="late", activation="relu")(x)
    return keras2.Model(inputs, layers.Dense(4, name="answer")(layers.GlobalAveragePooling2D()(x)))


@pytest.fixture(scope="module")
def traced(model: Any) -> tuple[Dependencies, Costs]:
    dependencies = trace(model)
    return dependencies, costs(dependencies, "int8")


@pytest.mark.parametrize("share", [0.8, 0.5, 0.25])
@pytest.mark.parametrize("what", ["macs", "bytes"])
def test_the_target_is_met_with_multiples(
    traced: tuple[Dependencies, Costs], share: float, what: Any
) -> None:
    dependencies, cost = traced
    saliency = np.random.default_rng(0).uniform(size=dependencies.count)
    full = cost.total(what, cost.sizes.astype(float))
    keep = choose(cost, saliency, {what: share * full}, 8, dependencies.count)
    kept = np.asarray([keep[family].sum() for family in cost.families])
    assert cost.total(what, kept) <= share * full
    assert all(count % 8 == 0 and count >= 8 for count in kept)
    for family in cost.families:  # the least salient went
        assert saliency[family][keep[family]].min() >= saliency[family][~keep[family]].max(initial=0)


def test_an_unreachable_target_leaves_a_network(traced: tuple[Dependencies, Costs]) -> None:
    dependencies, cost = traced
    keep = choose(cost, np.ones(dependencies.count), {"macs": 0.0}, 1, dependencies.count)
    assert [int(keep[family].sum()) for family in cost.families] == [3, 4]  # a tenth, rounded up


def test_no_target_removes_nothing(traced: tuple[Dependencies, Costs]) -> None:
    dependencies, cost = traced
    assert choose(cost, np.ones(dependencies.count), {}, 8, dependencies.count).all()


def test_shares_asked_of_single_layers(traced: tuple[Dependencies, Costs]) -> None:
    dependencies, cost = traced
    found = families(dependencies, cost)
    assert [(g.layers, g.size) for g in found] == [(("early",), 24), (("late",), 32)]
    most = max_kept(shares_asked(("^early$=0.5", "l.*=0.3")), found, found)
    assert most.tolist() == [pytest.approx(7.2), pytest.approx(9.6)]  # 'early' also matches 'l.*'
    keep = choose(cost, np.ones(dependencies.count), {}, 8, dependencies.count, most)
    assert [int(keep[family].sum()) for family in cost.families] == [8, 8]


@pytest.mark.parametrize("rule", ["early", "early=2", "early=0", "(=0.5", "early=half"])
def test_shares_that_make_no_sense(rule: str) -> None:
    with pytest.raises(ConfigError, match=r"REGEX=SHARE.*above 0"):
        shares_asked((rule,))


def test_a_share_for_a_layer_that_is_not_there(traced: tuple[Dependencies, Costs]) -> None:
    found = families(*traced)
    with pytest.raises(ConfigError, match="'nowhere' names no layer") as error:
        max_kept(shares_asked(("nowhere=0.5",)), found, found)
    assert "early, late" in present(error.value.hint)


def test_taylor_finds_the_channels_that_do_nothing(keras2: ModuleType, model: Any) -> None:
    copy = keras2.models.clone_model(model)
    copy.set_weights(model.get_weights())
    kernel, bias = copy.get_layer("late").get_weights()
    kernel[:, :, 5:8] = 0.0  # nothing reads these channels of 'early'
    copy.get_layer("late").set_weights([kernel, bias])
    dependencies = trace(copy)
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(128, 8, 8, 3)), rng.normal(size=(128, 4))
    saliency = taylor(
        copy,
        dependencies,
        (inputs.astype(np.float32),),
        (targets.astype(np.float32),),
        np.arange(len(inputs)),
        [keras2.losses.MeanSquaredError()],
        lambda count: None,
    )
    early = next(layer for layer in dependencies.layers if layer.layer.name == "early")
    assert early.width is not None
    assert np.flatnonzero(saliency[dependencies.groups(early.width)] < 1e-12).tolist() == [5, 6, 7]


@pytest.mark.parametrize("criterion", ["l1", "l2", "bn_gamma"])
def test_saliency_from_weights(keras2: ModuleType, model: Any, criterion: Any) -> None:
    copy = keras2.models.clone_model(model)
    copy.set_weights(model.get_weights())
    kernel, bias = copy.get_layer("early").get_weights()
    kernel[..., 4] = 1e-6
    copy.get_layer("early").set_weights([kernel, bias])
    gamma, *others = copy.get_layer("norm").get_weights()
    gamma[4] = 1e-6
    copy.get_layer("norm").set_weights([gamma, *others])
    dependencies = trace(copy)
    width = next(layer.width for layer in dependencies.layers if layer.layer.name == "early")
    assert width is not None
    ranking = from_weights(dependencies, criterion)[dependencies.groups(width)]
    assert int(np.argmin(ranking)) == 4

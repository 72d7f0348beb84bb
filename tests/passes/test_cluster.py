from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.test_convert import random_context
from tests.passes.test_prune import kernels, score
from tests.tflite.test_levels import distinct
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.cluster import Cluster
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.training import Training
from tflite_compress.passes.values import Clusters
from tflite_compress.runtimes.litert import predict
from tflite_compress.support.errors import ConfigError, ModelError
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.macs import constant

QUICK: dict[str, Any] = {"training": Training(epochs=1, min_steps=60)}
SHORT: dict[str, Any] = {"training": Training(epochs=1, min_steps=5)}


@pytest.mark.slow
def test_layers_take_few_values_and_the_accuracy_stays(context: Context, start: FloatModel) -> None:
    before = [w.copy() for w in start.network.handle.get_weights()]
    clustered = Cluster(clusters=16).apply(start, context)
    assert clustered.fact(Clusters).by_layer == dict.fromkeys(["conv_2", "conv_3", "hidden", "digit"], 16)
    for name, kernel in kernels(clustered).items():
        scales = clustered.fact(Clusters).scales.get(name, 1e-9)
        assert (len(np.unique(np.rint(kernel / scales))) <= 16) == (name in clustered.fact(Clusters).by_layer)
    assert score(clustered, context) >= context.reference.score.value - 0.02
    after = start.network.handle.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_zeros_stay_zero(context: Context, start: FloatModel) -> None:
    short = Training(epochs=1, min_steps=60)
    pruned = Prune(sparsity=0.6, schedule="polynomial", training=short, frequency=3).apply(start, context)
    clustered = Cluster(clusters=8, **QUICK).apply(pruned, context)
    zeros = kernels(pruned)["hidden"] == 0
    kernel = kernels(clustered)["hidden"]
    assert zeros.mean() > 0.59 and np.all(kernel[zeros] == 0)
    assert len(np.unique(np.rint(kernel / clustered.fact(Clusters).scales["hidden"]))) <= 8


@pytest.fixture(scope="module")
def uneven(keras: ModuleType) -> tuple[Context, FloatModel]:
    """A network whose channels differ in size 30-fold before BatchNorm, and whose signs it flips."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((48,), name="features")
    x = layers.BatchNormalization(name="norm")(layers.Dense(32, name="wide")(inputs))
    model = keras.Model(inputs, layers.Dense(12, name="small")(layers.ReLU()(x)))
    kernel = model.get_layer("wide").kernel
    sizes = np.geomspace(0.1, 3, 32)
    kernel.assign(kernel.numpy() * sizes)
    rng = np.random.default_rng(0)
    gamma = rng.choice([-1, 1], 32) * rng.uniform(0.5, 2, 32)
    model.get_layer("norm").set_weights([gamma, rng.normal(size=32), 0.1 * rng.normal(size=32), sizes**2 / 3])
    return random_context(model)


@pytest.fixture(scope="module")
def shared(uneven: tuple[Context, FloatModel]) -> FloatModel:
    context, start = uneven
    return Cluster(clusters=16, **SHORT).apply(start, context)


def test_channels_of_any_scale_share_their_values(
    uneven: tuple[Context, FloatModel], shared: FloatModel
) -> None:
    scales, kernel = shared.fact(Clusters).scales["wide"], kernels(shared)["wide"]
    levels = kernel / scales
    assert len(scales) == 32 and np.allclose(levels, np.rint(levels), atol=1e-3)
    assert len(np.unique(np.rint(levels))) <= 16 < len(np.unique(kernel))
    before = kernels(uneven[1])["wide"]
    errors = ((kernel - before) ** 2).mean(axis=0) / (before**2).mean(axis=0)
    assert errors.max() < 0.03  # of each channel's own size


def test_shared_values_become_the_integers_of_the_file(
    uneven: tuple[Context, FloatModel], shared: FloatModel
) -> None:
    context, start = uneven
    inputs = context.reference.splits.evaluate.inputs

    def step(model: FloatModel) -> tuple[float, bytes]:
        """The squared change of outputs from the float network to the file."""
        content = Convert(precision="int8").apply(model, context).flatbuffer
        wanted, got = model.network.predict(inputs), predict(content, inputs, *model.network.tensor_names)
        return float(np.mean((wanted[0] - got[0]) ** 2)), content

    error, content = step(shared)
    assert error < 1.3 * step(start)[0]  # no more than plain int8's
    assert max(distinct(content)) <= 32  # 16, and their negatives where BatchNorm flips a channel


def test_bits_limit_the_code_and_small_layers_get_more_values(
    uneven: tuple[Context, FloatModel],
) -> None:
    context, start = uneven
    config = Cluster(clusters=64, bits=2.5, **SHORT)
    counts = config.apply(start, context).fact(Clusters).by_layer
    assert counts["small"] > counts["wide"]
    assert config.summary() == "64 clusters of 2.5 bits"


@pytest.mark.slow
def test_values_of_the_layer_as_it_is(uneven: tuple[Context, FloatModel]) -> None:
    context, start = uneven
    clustered = Cluster(clusters=16, scales="layer", **SHORT).apply(start, context)
    assert len(np.unique(kernels(clustered)["wide"])) <= 16 and not clustered.fact(Clusters).scales


@pytest.mark.slow
def test_the_better_of_before_and_after_training_is_kept(uneven: tuple[Context, FloatModel]) -> None:
    context, start = uneven
    hasty = Training(epochs=1, min_steps=5, learning_rate=5.0)
    found = Cluster(clusters=16, training=hasty).apply(start, context)
    [note] = [n for n in found.notes if n.code == "training-undone"]
    assert "fine-tuning shared values was undone, it did not help on" in note.text
    outputs = found.network.predict(context.reference.splits.train.inputs)[0]
    original = context.reference.training_outputs[0]
    assert np.mean((outputs - original) ** 2) < 0.05 * np.var(original)


def test_few_values_survive_the_conversion_to_int8(context: Context, start: FloatModel) -> None:
    clustered = Cluster(clusters=16, **QUICK).apply(start, context)
    content = Convert(precision="int8").apply(clustered, context).flatbuffer
    model = unpack(content)
    tensors = model.subgraphs[0].tensors
    weights = [v for t in tensors if (v := constant(t, model)) is not None and v.dtype == np.int8]
    largest = max(weights, key=lambda v: v.size)
    assert len(np.unique(largest)) <= 16


@pytest.mark.slow
def test_layers_tf_mot_does_not_cluster_are_named(keras: ModuleType) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((6, 8))
    x = layers.GRU(12, name="recurrent")(inputs)
    context, start = random_context(keras.Model(inputs, layers.Dense(3)(layers.Dense(40)(x))))
    clustered = Cluster(**QUICK).apply(start, context)
    assert any("recurrent" in note for note in [n.text for n in clustered.notes])


def test_nothing_to_cluster(context: Context, start: FloatModel) -> None:
    with pytest.raises(ModelError, match="no layer to cluster"):
        Cluster(exclude=(".",), **QUICK).apply(start, context)
    with pytest.raises(ConfigError, match="exclude"):
        Cluster(exclude=("(",), **QUICK).apply(start, context)

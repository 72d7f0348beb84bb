from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.passes.test_convert import random_context
from tests.passes.test_prune import kernels, score
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.cluster import Cluster
from tflite_compress.passes.convert import Convert
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.training import Training
from tflite_compress.passes.values import Clusters
from tflite_compress.support.errors import ConfigError, ModelError
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.macs import constant

QUICK: dict[str, Any] = {"training": Training(epochs=1, min_steps=60)}


@pytest.mark.slow
def test_layers_take_few_values_and_the_accuracy_stays(context: Context, start: FloatModel) -> None:
    before = [w.copy() for w in start.network.handle.get_weights()]
    clustered = Cluster(clusters=16).apply(start, context)
    assert clustered.fact(Clusters).by_layer == dict.fromkeys(["conv_2", "conv_3", "hidden", "digit"], 16)
    for name, kernel in kernels(clustered).items():
        assert (len(np.unique(kernel)) <= 16) == (name in clustered.fact(Clusters).by_layer)
    assert score(clustered, context) >= context.reference.score.value - 0.02
    after = start.network.handle.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_zeros_stay_zero(context: Context, start: FloatModel) -> None:
    pruned = Prune(sparsity=0.6, training=Training(epochs=1, min_steps=60), frequency=3).apply(start, context)
    clustered = Cluster(clusters=8, **QUICK).apply(pruned, context)
    zeros = kernels(pruned)["hidden"] == 0
    kernel = kernels(clustered)["hidden"]
    assert zeros.mean() > 0.59 and np.all(kernel[zeros] == 0) and len(np.unique(kernel)) <= 8


@pytest.mark.slow
def test_values_of_its_own_for_each_channel(context: Context, start: FloatModel) -> None:
    config = Cluster(clusters=4, per_channel=True, preserve_sparsity=False, **QUICK)
    clustered = config.apply(start, context)
    kernel = kernels(clustered)["conv_2"]
    channels = np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1)
    assert all(len(np.unique(channel)) <= 4 for channel in channels)
    assert len(np.unique(kernel)) > 4


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

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.load import load_model
from tflite_compress.models.network import Network
from tflite_compress.passes import Context, FloatModel, Model
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.training import Training
from tflite_compress.passes.values import Sparsity
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.errors import ConfigError, ModelError
from tflite_compress.support.progress import Silent

QUICK: dict[str, Any] = {"training": Training(epochs=1, min_steps=20), "frequency": 3}


def kernels(model: Model) -> dict[str, np.ndarray]:
    layers = model.network.handle.layers
    return {layer.name: layer.kernel.numpy() for layer in layers if hasattr(layer, "kernel")}


def overall(model: Model) -> float:
    """The share of zeros of all pruned kernels together."""
    chosen = [kernels(model)[name] for name in model.fact(Sparsity).by_layer]
    return float(np.mean(np.concatenate([kernel.ravel() for kernel in chosen]) == 0))


def score(model: Model, context: Context) -> float:
    outputs = model.network.predict(context.reference.splits.evaluate.inputs)
    return context.reference.score_of(outputs).value


@pytest.mark.slow
def test_inner_layers_reach_the_sparsity_and_the_accuracy_stays(context: Context, start: FloatModel) -> None:
    before = [w.copy() for w in start.network.handle.get_weights()]
    pruned = Prune(sparsity=0.9).apply(start, context)
    assert set(pruned.fact(Sparsity).by_layer) == {"conv_2", "conv_3", "hidden"}
    by_layer = pruned.fact(Sparsity).by_layer
    for name, kernel in kernels(pruned).items():
        assert np.mean(kernel == 0) == pytest.approx(by_layer.get(name, 0), abs=1e-6)
    assert overall(pruned) == pytest.approx(0.9, abs=0.01)
    assert score(pruned, context) >= context.reference.score.value - 0.01
    assert {"weights-kept", "training-helped"} <= {note.code for note in pruned.notes}
    after = start.network.handle.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_equal_seeds_give_equal_weights(context: Context, start: FloatModel) -> None:
    one, two = (Prune(**QUICK).apply(start, context).network.handle.get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.slow
def test_the_pattern_2_of_4_leaves_at_least_two_zeros_in_four(context: Context, start: FloatModel) -> None:
    pruned = Prune(pattern="2:4", **QUICK).apply(start, context)
    kernel = kernels(pruned)["hidden"]
    groups = np.moveaxis(kernel, 0, -1).reshape(-1, 4)
    assert np.all(np.sum(groups == 0, axis=1) >= 2)


@pytest.mark.slow
def test_whole_blocks_become_zero(context: Context, start: FloatModel) -> None:
    pruned = Prune(pattern="block", block_size=(4, 4), sparsity=0.5, **QUICK).apply(start, context)
    assert set(pruned.fact(Sparsity).by_layer) == {"hidden"}
    kernel = kernels(pruned)["hidden"]
    blocks = kernel.reshape(8, 4, 16, 4).transpose(0, 2, 1, 3).reshape(-1, 16)
    zeros = np.sum(blocks == 0, axis=1)
    assert set(zeros.tolist()) <= {0, 16} and np.mean(zeros == 16) == pytest.approx(0.5, abs=0.02)
    assert any("conv_2" in note and "2-dimensional" in note for note in [n.text for n in pruned.notes])


@pytest.mark.slow
def test_a_constant_schedule_reaches_the_sparsity(context: Context, start: FloatModel) -> None:
    pruned = Prune(schedule="constant", sparsity=0.5, **QUICK).apply(start, context)
    assert pruned.fact(Sparsity).by_layer["conv_2"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        pytest.param({"include": ("conv",)}, {"conv_1", "conv_2", "conv_3"}, marks=pytest.mark.slow),
        ({"exclude": ("conv_2", "hid")}, {"conv_3"}),
        ({"keep_ends": False}, {"conv_1", "conv_2", "conv_3", "hidden", "digit"}),
    ],
)
def test_which_layers_are_pruned(
    context: Context, start: FloatModel, settings: dict[str, Any], names: set[str]
) -> None:
    pruned = Prune(schedule="polynomial", **settings, **QUICK).apply(start, context)
    assert set(pruned.fact(Sparsity).by_layer) == names


def test_nothing_to_prune_is_said(context: Context, start: FloatModel) -> None:
    with pytest.raises(ModelError, match="no layer to prune") as caught:
        Prune(include=("nothing",)).apply(start, context)
    assert "--include" in present(caught.value.hint)
    with pytest.raises(ConfigError, match="not a regular expression"):
        Prune(include=("(",)).apply(start, context)


def test_a_fixed_graph_cannot_be_pruned(context: Context) -> None:
    fixed = FloatModel(replace(context.reference.network, editable=False, why_not_editable="it is a graph"))
    with pytest.raises(ModelError, match="it is a graph"):
        Prune().apply(fixed, context)


def small_context(model: Any, x: Any, y: Any = None, metric: str | None = None) -> tuple[Context, FloatModel]:
    source = load_model(model)
    splits = gather(DataSpec(data=x if y is None else (x, y)), source.network, 0)
    reference = make_reference(source.network, splits, source.loss, metric, None)
    return Context(reference, 0, Silent()), FloatModel(source.network)


@pytest.mark.slow
def test_recurrent_layers_with_masks_and_what_tfmot_cannot_prune(keras: ModuleType) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12,), dtype="int32"),
            layers.Embedding(50, 8, mask_zero=True),
            layers.LSTM(16, return_sequences=True, name="lstm"),
            layers.Bidirectional(layers.SimpleRNN(8), name="both_ways"),
            layers.Dense(16, name="inner"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    x = np.random.default_rng(0).integers(0, 50, (64, 12))
    context, start = small_context(model, x)
    pruned = Prune(sparsity=0.5, **QUICK).apply(start, context)
    assert pruned.fact(Sparsity).by_layer["lstm"] == pytest.approx(0.5, abs=0.02)
    assert any("both_ways" in note and "Bidirectional" in note for note in [n.text for n in pruned.notes])


@pytest.mark.slow
def test_attention_with_several_inputs_and_outputs(keras: ModuleType) -> None:
    layers = keras.layers
    a, b = keras.Input((6, 8), name="a"), keras.Input((4,), name="b")
    x = layers.MultiHeadAttention(2, 4, name="attend")(a, a)
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x + a), layers.Dense(8, name="first")(b)])
    model = keras.Model([a, b], [layers.Dense(3, name="p")(x), layers.Dense(1, name="q")(x)])
    rng = np.random.default_rng(0)
    data = {"a": rng.standard_normal((48, 6, 8)), "b": rng.standard_normal((48, 4))}
    context, start = small_context(model, data)
    pruned = Prune(sparsity=0.5, include=("attend",), **QUICK).apply(start, context)
    assert pruned.fact(Sparsity).by_layer == {"attend": pytest.approx(0.5, abs=0.05)}
    assert len(pruned.network.predict(context.reference.splits.evaluate.inputs)) == 2


@pytest.mark.slow
def test_an_interrupted_training_continues(context: Context, start: FloatModel, tmp_path: Path) -> None:
    class StopAt(Silent):
        said: list[str]

        def __init__(self, steps: int) -> None:
            self.left, self.said = steps, []

        def step(self, title: str, total: int | None = None) -> Any:
            import contextlib

            def advance(units: int) -> None:
                self.left -= units
                if self.left < 0:
                    raise KeyboardInterrupt

            return contextlib.nullcontext(advance)

        def say(self, text: str) -> None:
            self.said.append(text)

    config = Prune(training=Training(epochs=4, min_steps=1))
    whole = config.apply(start, context).network.handle.get_weights()
    stopping = replace(context, progress=StopAt(25), checkpoints=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        config.apply(start, stopping)
    going_on = StopAt(10**6)
    resumed = config.apply(start, replace(stopping, progress=going_on))
    assert any("continuing after step" in text for text in going_on.said)
    assert overall(resumed) == pytest.approx(0.8, abs=0.01)
    distance = max(
        float(np.max(np.abs(a - b))) for a, b in zip(whole, resumed.network.handle.get_weights(), strict=True)
    )
    assert distance < 0.2
    assert list(tmp_path.iterdir()) == []


def test_networks_are_values() -> None:
    assert Network("n", None, (), ()) == Network("n", None, (), ())


@pytest.mark.slow
def test_a_training_that_harms_is_undone_and_the_zeros_stay(context: Context, start: FloatModel) -> None:
    hasty = Training(epochs=0, min_steps=400, learning_rate=1.0)
    config = Prune(sparsity=0.3, schedule="polynomial", training=hasty, reestimate_batchnorm=False)
    pruned = config.apply(start, context)
    [note] = [n for n in pruned.notes if n.code == "training-undone"]
    assert note.text.startswith("fine-tuning while pruning was undone, it did not help on")
    assert np.mean(kernels(pruned)["hidden"] == 0) == pytest.approx(0.3, abs=0.01)
    kept = kernels(pruned)["hidden"] != 0
    assert np.array_equal(kernels(pruned)["hidden"][kept], kernels(start)["hidden"][kept])


@pytest.mark.slow
def test_training_begins_with_reconstructed_zeros_and_is_undone_if_it_harms(
    context: Context, start: FloatModel
) -> None:
    hasty = Training(epochs=0, min_steps=400, learning_rate=1.0)
    config = Prune(sparsity=0.8, training=hasty, reestimate_batchnorm=False)
    pruned = config.apply(start, context)
    assert "training-undone" in {note.code for note in pruned.notes}
    assert overall(pruned) == pytest.approx(0.8, abs=0.01)
    assert len({*np.round([*pruned.fact(Sparsity).by_layer.values()], 2)}) == 3  # shares differ by layer
    smallest = Prune(sparsity=0.8, schedule="constant", training=hasty, reestimate_batchnorm=False).apply(
        start, context
    )
    errors = [change_of_original(model, context) for model in (pruned, smallest)]
    assert errors[0] < errors[1] / 2


def change_of_original(model: Model, context: Context) -> float:
    """The mean squared change of a model's outputs on the samples for evaluation."""
    inputs = context.reference.splits.evaluate.inputs
    [mine], [wanted] = model.network.predict(inputs), context.reference.network.predict(inputs)
    return float(np.mean((mine - wanted) ** 2))

"""An attempt says what its passes did to the model, not what they were asked to do."""

from __future__ import annotations

from dataclasses import replace as replace_field
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace

from tests.passes.conftest import context, start
from tflite_compress.models.network import Network
from tflite_compress.models.source import source_from_object
from tflite_compress.passes import Context, FloatModel, Model
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.values import Sparsity, same_model
from tflite_compress.pipeline.candidates import Attempt, best, run_plan, run_recipe
from tflite_compress.pipeline.memo import Memo
from tflite_compress.pipeline.plan import make_plan
from tflite_compress.pipeline.recipes import load_recipe
from tflite_compress.scoring.gpu_score import GpuCheck, GpuEvaluation, GpuOutput, GpuScore
from tflite_compress.support.time_budget import TimeBudget

__all__ = ["context", "start"]


def test_a_pass_that_changed_nothing_is_not_named(start: FloatModel, context: Context) -> None:
    recipe = load_recipe("int4")
    passes = [p for p in recipe.passes if p.tag() in ("int4", "convert")]
    passes[0] = replace(passes[0], exclude=(".*",))
    attempt = run_recipe(replace(recipe, passes=tuple(passes)), start, context, Memo())
    assert [step.is_applied for step in attempt.steps] == [False, True]
    assert attempt.summary == "int8"


def test_notes_alone_do_not_change_a_model() -> None:
    from tflite_compress.support.notes import Note

    model = FloatModel(Network("net", object(), (), ()))
    assert same_model(model, model.noting(Note("remark", "nothing happened")))
    assert not same_model(model, model.with_fact(Sparsity({"a": 0.5})))
    assert not same_model(model, model.converted(b"file"))
    assert same_model(model.converted(b"file"), model.converted(b"file"))


@pytest.mark.parametrize(
    ("zeros", "named"), [((60, 20), "80% sparsity"), ((2, 0), "3% sparsity"), ((0, 0), "0% sparsity")]
)
def test_the_sparsity_that_was_reached_is_named(
    keras2: ModuleType, zeros: tuple[int, int], named: str
) -> None:
    layers = keras2.layers
    inputs = keras2.Input((10,))
    b = layers.Dense(5, name="b")(layers.Dense(5, name="a")(layers.Dense(10)(inputs)))
    handle = keras2.Model(inputs, b)
    facts = {}
    for name, count in zip("ab", zeros, strict=True):
        kernel, bias = handle.get_layer(name).get_weights()
        kernel.flat[:count] = 0
        handle.get_layer(name).set_weights([kernel, bias])
        facts[name] = count / kernel.size
    model = FloatModel(Network("net", handle, (), ())).with_fact(Sparsity(facts))
    assert Prune(sparsity=0.8).outcome(model) == named


def test_long_passes_share_the_time_budget(start: FloatModel, context: Context) -> None:
    now = [0.0]
    seen: list[float] = []

    class Asking(Memo):
        def run(self, chain: Any, model: Model, context: Context) -> tuple[Model, float]:
            seen.append(context.budget.left)
            now[0] += 10
            return model, 10.0

        def score(self, chain: Any, compute: Any) -> Any:
            return context.reference.score, context.reference.evaluation_outputs

    budget = TimeBudget(100, lambda: now[0])
    recipe = load_recipe("int4")
    run_recipe(recipe, start, replace_field(context, budget=budget), Asking())
    tags = [p.tag() for p in recipe.passes]
    assert tags[:5] == ["split_outputs", "int4", "adaround", "bias_correct", "convert"]
    assert seen[:5] == pytest.approx([80 / 4, 0.8 * 90 / 3, 0.8 * 80 / 2, 0.8 * 70, 60])


def test_a_loop_is_refused_before_anything_is_trained(keras: ModuleType, context: Context) -> None:
    class Unused(Memo):
        def run(self, chain: Any, model: Model, context: Context) -> tuple[Model, float]:
            raise AssertionError("a pass ran")

    keras.utils.set_random_seed(0)
    steps = keras.Input((200, 2), name="steps")
    network = source_from_object(keras.Model(steps, keras.layers.GRU(3, name="long")(steps))).network
    attempt = run_recipe(load_recipe("prune-int8"), FloatModel(network), context, Unused())
    assert attempt.is_structural and attempt.steps == () and attempt.outputs is None
    assert attempt.error is not None and "layer 'long' (GRU) has 200 time steps" in attempt.error


def test_a_file_that_fails_on_the_gpu_is_repaired(start: FloatModel, context: Context) -> None:
    """The next candidate is tried, as for an accuracy drop; what failed is not the best result."""
    output = GpuOutput(
        metric="top1", accuracy=1.0, drop=0.0, max_difference=0.0, largest=1.0, faulty_samples=2
    )
    whole = GpuScore(
        adapter="a", accelerator="b", samples=4, is_whole=True, operators_on_cpu=0, drop=0.0,
        by_output={"digit": output}, layers=(),
    )  # fmt: skip
    well = replace(whole, by_output={"digit": replace(output, faulty_samples=0)})

    def check_gpu(attempt: Attempt) -> GpuEvaluation:
        tags = [step.name for step in attempt.steps]
        return GpuEvaluation(GpuCheck(score=well if "repair_float16" in tags else whole))

    plan = make_plan("android-gpu", None, {})
    attempts = run_plan(plan, start, context, Memo(), 0.01, True, check_gpu=check_gpu)
    assert [attempt.drop for attempt in attempts] == [float("inf"), attempts[1].steps[-1].drop]
    assert "output 'digit' is NaN" in (attempts[0].fault or "") and attempts[1].fault is None
    assert best(attempts, 0.01) is attempts[1]
    assert [n.code for n in attempts[1].model.notes] == ["pass-left-out"]  # nothing was beyond the range

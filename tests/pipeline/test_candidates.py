"""An attempt says what its passes did to the model, not what they were asked to do."""

from __future__ import annotations

from msgspec.structs import replace

from tests.passes.conftest import context, start
from tflite_compress.models.network import Network
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.values import Sparsity, same_model
from tflite_compress.pipeline.candidates import Memo, run_recipe
from tflite_compress.pipeline.recipes import load_recipe

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


def test_the_sparsity_that_was_reached_is_named() -> None:
    model = FloatModel(Network("net", object(), (), ()))
    config = Prune(sparsity=0.8)
    assert config.outcome(model.with_fact(Sparsity({"a": 0.8, "b": 0.798}))) == "80% sparsity"
    assert config.outcome(model.with_fact(Sparsity({"a": 0.02, "b": 0.04}))) == "3% sparsity"
    assert config.outcome(model) == "0% sparsity"

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.narrow import present
from tests.needs import slow
from tflite_compress.models.copying import copied
from tflite_compress.passes import Context, FloatModel
from tflite_compress.passes.algorithms.distillation import _head_loss, training_targets
from tflite_compress.passes.algorithms.finetune import Schedule, finetune
from tflite_compress.scoring.metrics import Head
from tflite_compress.support.errors import DataError
from tflite_compress.support.time_budget import TimeBudget


def test_targets_mix_teacher_and_labels(context: Context) -> None:
    teacher = context.reference.training_outputs[0]
    labels = context.reference.splits.train.labels
    assert labels is not None
    hard = np.eye(10)[labels[0]]
    assert np.allclose(training_targets(context, 1.0)[0], teacher)
    assert np.allclose(training_targets(context, 0.0)[0], hard)
    assert np.allclose(training_targets(context, 0.25)[0], 0.25 * teacher + 0.75 * hard, atol=1e-6)


def with_unlabelled(context: Context) -> Context:
    splits = context.reference.splits
    found = replace(splits, unlabelled=replace(splits.evaluate, labels=None))
    return replace(context, reference=replace(context.reference, splits=found))


def test_unlabelled_samples_get_the_teachers_answers(context: Context) -> None:
    reference = context.reference
    (found,) = training_targets(with_unlabelled(context), 0.25)
    (labelled,) = training_targets(context, 0.25)
    assert np.array_equal(found[: len(labelled)], labelled)
    assert np.allclose(found[len(labelled) :], reference.evaluation_outputs[0], atol=1e-6)


def test_unlabelled_samples_are_trained_on(context: Context, start: FloatModel) -> None:
    notes = finetune(
        copied(start.network.handle), with_unlabelled(context), Schedule(0, 2, 8, 0.001, 1), "t", "k"
    )
    splits = context.reference.splits
    assert (
        f"{len(splits.evaluate):,} unlabelled samples beside {len(splits.train):,} others" in notes[-1].text
    )


def test_cross_entropy_is_linear_in_its_target(keras2: ModuleType) -> None:
    rng = np.random.default_rng(0)
    teacher, predicted = (rng.dirichlet(np.ones(4), 3).astype(np.float32) for _ in range(2))
    hard = np.eye(4, dtype=np.float32)[[0, 1, 2]]
    loss = _head_loss(Head("classification", False), 1.0)
    mixed = float(loss(0.3 * teacher + 0.7 * hard, predicted))
    assert mixed == pytest.approx(
        0.3 * float(loss(teacher, predicted)) + 0.7 * float(loss(hard, predicted)), rel=1e-4
    )


def test_without_labels_the_teacher_is_enough(context: Context, start: FloatModel) -> None:
    reference = context.reference
    train = replace(reference.splits.train, labels=None)
    bare = replace(context, reference=replace(reference, splits=replace(reference.splits, train=train)))
    model = copied(start.network.handle)
    noisy = [
        w + np.random.default_rng(0).normal(0, 0.05, w.shape) * (w.ndim > 1) for w in model.get_weights()
    ]
    model.set_weights(noisy)
    inputs = reference.splits.evaluate.inputs[0]
    before = np.mean(np.abs(np.asarray(model(inputs)) - reference.evaluation_outputs[0]))
    finetune(model, bare, Schedule(1, 100, 64, 0.001, 0.5), "t", "k")
    after = np.mean(np.abs(np.asarray(model(inputs)) - reference.evaluation_outputs[0]))
    assert after < 0.7 * before


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", slow("mse"), "my_loss:half"])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_loss_the_user_names(
    context: Context, start: FloatModel, tmp_path: Path, loss: str, labelled: bool
) -> None:
    (tmp_path / "my_loss.py").write_text(
        "import tensorflow as tf\n"
        "def half(y, p):\n"
        "    y = tf.one_hot(tf.cast(tf.reshape(y, [-1]), tf.int32), 10) if y.shape[-1] != 10 else y\n"
        "    return tf.reduce_mean(tf.square(y - p), -1) / 2\n"
    )
    reference = replace(context.reference, loss=loss)
    if not labelled:
        train = replace(reference.splits.train, labels=None)
        reference = replace(reference, splits=replace(reference.splits, train=train))
    model = copied(start.network.handle)
    finetune(model, replace(context, reference=reference), Schedule(1, 20, 64, 0.001, 1.0), "t", "k")
    outputs = np.asarray(model(reference.splits.evaluate.inputs[0]))
    assert reference.score_of((outputs,)).value > 0.85


def test_an_unknown_loss_is_refused(context: Context, start: FloatModel) -> None:
    named = replace(context, reference=replace(context.reference, loss="crossentropie"))
    with pytest.raises(DataError, match="--loss=crossentropie"):
        finetune(copied(start.network.handle), named, Schedule(1, 1, 64, 0.001, 1.0), "t", "k")


def test_divergence_is_reported(context: Context, start: FloatModel) -> None:
    model = copied(start.network.handle)
    with pytest.raises(DataError, match="diverged") as caught:
        finetune(model, context, Schedule(1, 50, 64, 1e30, 1.0), "t", "k")
    assert "--learning-rate" in present(caught.value.hint)


def test_training_stops_when_the_time_budget_is_used(context: Context, start: FloatModel) -> None:
    ticks = iter(range(10**6))
    budget = TimeBudget(20, lambda: next(ticks))  # each question for the time takes one second
    model = copied(start.network.handle)
    before = model.get_weights()
    finetune(model, replace(context, budget=budget), Schedule(50, 1, 64, 0.001, 0.5), "training", "k")
    (note,) = budget.notes
    done = int(note.text.split("stopped after ")[1].split(" of ")[0])
    assert 1 <= done <= 20
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))

"""Augmentation of training samples, on a network that trains in milliseconds."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from tests.narrow import present
from tflite_compress.data.gather import DataSpec, gather
from tflite_compress.models.copying import copied
from tflite_compress.models.keras_types import Tensor
from tflite_compress.models.load import load_model
from tflite_compress.passes import Context
from tflite_compress.passes.algorithms.augmentation import augmentation_for
from tflite_compress.passes.algorithms.finetune import Schedule, finetune
from tflite_compress.passes.algorithms.random_changes import Changes, Draw, changed_images, changed_series
from tflite_compress.passes.prune import Prune
from tflite_compress.passes.training import Augment, Training
from tflite_compress.scoring.reference import make_reference
from tflite_compress.support.backend import seed_everything, tensorflow
from tflite_compress.support.errors import DataError
from tflite_compress.support.progress import Silent

CHANGES = Changes(low=0.0, high=10.0, mean=4.0, deviation=2.0, mirror=True, flip=False)
Shape = tuple[int, ...]


@pytest.fixture(scope="module")
def images(keras2: ModuleType) -> Context:
    """A network that says whether the upper half of an image is brighter, also of a mirrored one."""
    keras2.utils.set_random_seed(0)
    inputs = keras2.Input((16, 18, 1))
    rows = keras2.layers.AveragePooling2D((8, 18))(inputs)
    outputs = keras2.layers.Dense(2, activation="softmax", name="top")(keras2.layers.Flatten()(rows))
    model = keras2.Model(inputs, outputs)
    model.get_layer("top").set_weights([np.array([[9.0, -9.0], [-9.0, 9.0]]), np.zeros(2)])
    source = load_model(model)
    x = np.random.default_rng(0).uniform(0, 10, (40, 16, 18, 1)).astype(np.float32)
    splits = gather(DataSpec(train=x, calibrate=x, evaluate=x), source.network, 0)
    return Context(make_reference(source.network, splits, source.loss, None, None), 0, Silent())


def with_inputs(context: Context, shape: Shape, dtype: str = "float32") -> Context:
    """The context with other training samples."""
    train = replace(context.reference.splits.train, inputs=(np.zeros(shape, dtype),))
    splits = replace(context.reference.splits, train=train)
    return replace(context, reference=replace(context.reference, splits=splits))


def test_the_original_model_says_which_flips_are_used(images: Context) -> None:
    found = present(augmentation_for(images, "auto", True))
    assert found.kind == "images" and found.changes.mirror and not found.changes.flip
    assert "flips (left-right)" in found.note.text


@pytest.mark.parametrize(
    ("shape", "dtype", "is_long"),
    [
        ((9, 8, 8, 1), "float32", True),
        ((9, 640), "float32", True),
        ((9, 32, 3), "int32", True),
        ((9, 32, 3), "float32", False),
    ],
)
def test_what_is_not_augmented_unasked(images: Context, shape: Shape, dtype: str, is_long: bool) -> None:
    assert augmentation_for(with_inputs(images, shape, dtype), "auto", is_long) is None


def test_none_a_loss_and_another_shape(images: Context) -> None:
    assert augmentation_for(images, "none", True) is None
    own = replace(images, reference=replace(images.reference, loss="mse"))
    assert augmentation_for(own, "auto", True) is None
    with pytest.raises(DataError, match="--augment=images needs the original model's answers"):
        augmentation_for(own, "images", False)
    with pytest.raises(DataError, match=r"--augment=series needs one input of shape \(steps, features\)"):
        augmentation_for(images, "series", False)


def test_targets_are_the_answers_on_the_changed_inputs(images: Context) -> None:
    found = present(augmentation_for(images, "images", False))
    x = images.reference.splits.train.inputs[0]
    wanted = np.full((40, 2), 7.0, np.float32)
    changed, targets = (
        np.asarray(side[0]) for side in found.prepared(tensor(3), [tensor(x)], [tensor(wanted)])
    )
    plain = np.all(changed == x, axis=(1, 2, 3))
    assert np.array_equal(plain, np.arange(40) < 10)
    assert np.all(targets[plain] == 7)
    answers = images.reference.network.predict((changed,))[0]
    assert np.allclose(targets[~plain], answers[~plain], atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_changes_of_images(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 10, (64, 16, 16, 3)).astype(dtype)
    draws = [Draw(0, tensor(step), 64) for step in (1, 1, 2)]
    some, same, other = (np.asarray(changed_images(tensor(x), CHANGES, draw)) for draw in draws)
    assert some.dtype == dtype and some.shape == x.shape
    assert some.min() >= 0 and some.max() <= 10
    assert np.array_equal(some, same) and not np.array_equal(some, other)
    assert np.mean(np.abs(some.astype(float) - x)) > 0.5


def test_changes_of_series() -> None:
    x = np.random.default_rng(0).uniform(0, 10, (64, 40, 12)).astype(np.float32)
    found = np.asarray(changed_series(tensor(x), CHANGES, Draw(0, tensor(1), 64)))
    assert found.shape == x.shape and found.min() >= 0 and found.max() <= 10
    masked = np.mean(np.all(np.abs(found - 4) < 1e-4, axis=2), axis=1)  # steps with the mean everywhere
    assert 0.01 < masked.mean() < 0.15 and masked.max() <= 0.15 + 1 / 40


@pytest.mark.slow
def test_an_augmented_training_repeats_itself(images: Context) -> None:
    def trained(augment: Augment) -> np.ndarray:
        seed_everything(0)
        model = copied(images.reference.network.handle)
        model.get_layer("top").set_weights([np.zeros((2, 2)), np.zeros(2)])
        notes = finetune(model, images, Schedule(50, 0, 40, 0.01, 1.0, augment), "t", "k")
        assert [note.code for note in notes] == ["augmented"]
        return np.concatenate([w.reshape(-1) for w in model.get_weights()])

    first, again = trained("images"), trained("auto")
    assert np.array_equal(first, again) and np.any(first != 0)


def test_augmentation_is_on_by_default() -> None:
    assert Prune().training.augment == "auto"
    assert Prune(training=Training(augment="none")).training.augment == "none"


def tensor(values: np.ndarray | int) -> Tensor:
    found: Tensor = tensorflow().constant(values)
    return found

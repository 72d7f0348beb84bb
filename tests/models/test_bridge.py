from __future__ import annotations

import gc
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.models.zoo import NAMES, models
from tests.narrow import present
from tests.needs import slow
from tflite_compress.models.bridge import to_tf_keras
from tflite_compress.models.copying import copied
from tflite_compress.models.random_runs import random_inputs, structured_inputs
from tflite_compress.support.errors import ModelError

APPLICATIONS = (
    "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge DenseNet121 DenseNet169 "
    "DenseNet201 EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 EfficientNetB4 EfficientNetB5 "
    "EfficientNetB6 EfficientNetB7 EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 "
    "EfficientNetV2L EfficientNetV2M EfficientNetV2S InceptionResNetV2 InceptionV3 MobileNet MobileNetV2 "
    "MobileNetV3Large MobileNetV3Small NASNetLarge NASNetMobile ResNet101 ResNet101V2 ResNet152 ResNet152V2 "
    "ResNet50 ResNet50V2 VGG16 VGG19 Xception"
).split()


def shake_weights(model: Any) -> None:
    """Move every weight, so that forgotten ones (zero biases, unit variances) show."""
    rng = np.random.default_rng(1)
    model.set_weights([w + rng.uniform(0, 0.1, w.shape).astype(w.dtype) for w in model.get_weights()])


def difference(model: Any, bridged: Any, seed: int) -> float:
    inputs = random_inputs(bridged, seed=seed)
    expected = model(structured_inputs(model, inputs), training=False)
    if isinstance(expected, dict):
        expected = [expected[name] for name in sorted(expected)]
    expected = expected if isinstance(expected, list | tuple) else [expected]
    actual = bridged(structured_inputs(bridged, inputs), training=False)
    actual = actual if isinstance(actual, list | tuple) else [actual]
    pairs = list(zip(expected, actual, strict=True))
    assert pairs
    return max(float(np.max(np.abs(np.asarray(e) - np.asarray(a)))) for e, a in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_model_comes_out_equal(keras: ModuleType, keras2: ModuleType, name: str) -> None:
    model = models(keras)[name]()
    shake_weights(model)
    bridged = to_tf_keras(model, verify=False)
    assert isinstance(bridged, keras2.Model)
    assert difference(model, bridged, seed=7) <= 1e-5


def test_arguments_of_carried_operations_live_as_long_as_a_model_that_needs_them(keras: ModuleType) -> None:
    """A copy still runs after its original is gone, and nothing is left after both."""
    from tflite_compress.models import carrier

    before = set(carrier._TEMPLATES)
    x = keras.Input((4, 4))
    product = keras.ops.einsum("bij,bjk->bik", x, x)
    bridged = to_tf_keras(keras.Model(x, keras.ops.concatenate([product, keras.ops.sort(x)], axis=-1)))
    # Templates of models of other tests may be freed at any moment, so only the new ones count.
    new = set(carrier._TEMPLATES) - before
    assert len(new) == 3
    data = np.random.default_rng(0).normal(size=(2, 4, 4)).astype(np.float32)
    expected = bridged(data)
    copy = copied(bridged)
    del bridged, product, x
    gc.collect()
    np.testing.assert_array_equal(copy(data), expected)
    del copy, expected
    gc.collect()
    assert not new & set(carrier._TEMPLATES)


@pytest.mark.parametrize("name", [slow("MobileNetV2"), "MobileNetV3Small"])
def test_small_applications_come_out_equal(keras: ModuleType, name: str) -> None:
    check_application(keras, name)


@pytest.mark.marathon
@pytest.mark.parametrize("name", APPLICATIONS)
def test_all_applications_come_out_equal(keras: ModuleType, keras2: ModuleType, name: str) -> None:
    check_application(keras, name)
    keras.backend.clear_session()
    keras2.backend.clear_session()
    gc.collect()


def test_the_list_of_applications_is_complete(keras: ModuleType) -> None:
    functions = {n for n, f in vars(keras.applications).items() if callable(f)}
    assert functions == set(APPLICATIONS)


def check_application(keras: ModuleType, name: str) -> None:
    model = getattr(keras.applications, name)(weights=None)
    assert difference(model, to_tf_keras(model, verify=False), seed=3) <= 1e-5


def test_training_the_copy_leaves_the_original_alone(keras: ModuleType) -> None:
    model = models(keras)["custom_layer"]()
    before = [w.copy() for w in model.get_weights()]
    bridged = to_tf_keras(model)
    bridged.set_weights([w + 1 for w in bridged.get_weights()])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_shared_layers_stay_shared(keras: ModuleType) -> None:
    model = models(keras)["shared_layer"]()
    assert to_tf_keras(model).count_params() == model.count_params()


def test_prunable_layers_become_native(keras: ModuleType, keras2: ModuleType) -> None:
    bridged = to_tf_keras(models(keras)["nested_and_shared"]())
    kinds = [type(layer) for layer in bridged.layers]
    assert kinds.count(keras2.layers.Dense) == 2
    assert keras2.layers.BatchNormalization in kinds


def test_a_subclassed_model_is_refused_with_its_name(keras: ModuleType) -> None:
    class Mine(keras.Model):  # type: ignore[misc,name-defined]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(ModelError, match="subclassed") as caught:
        to_tf_keras(Mine(name="mine"))
    assert "mine" in caught.value.message and "functional API" in present(caught.value.hint)


def test_a_deviation_names_its_layer(keras: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from tflite_compress.models import bridge

    monkeypatch.setitem(bridge._SAME_ACTIVATIONS, "tanh", "sigmoid")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="tanh", name="wrong_one")(inputs))
    with pytest.raises(ModelError, match="wrong_one"):
        to_tf_keras(model)

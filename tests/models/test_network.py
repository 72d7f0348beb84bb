from __future__ import annotations

from types import ModuleType

import numpy as np

from tflite_compress.models.copying import copied
from tflite_compress.models.network import network_runner
from tflite_compress.passes.algorithms.harm import change_of_outputs


def test_a_model_is_traced_once_for_all_its_weights(keras2: ModuleType) -> None:
    traces: list[str] = []

    class Counted(keras2.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: object) -> object:
            traces.append(self.name)
            return x

    keras2.utils.set_random_seed(0)
    model = keras2.Sequential([keras2.Input((3,)), keras2.layers.Dense(2), Counted()])
    other = copied(model)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    run = network_runner()
    traces.clear()
    (first,) = run(model, (x,))
    model.set_weights([2 * w for w in model.get_weights()])
    (doubled,) = run(model, (x,))
    assert len(traces) == 1
    assert np.allclose(doubled, 2 * first)
    (found,) = run(other, (x,))  # another model is traced
    assert len(traces) == 2
    assert np.array_equal(found, first)

    run(other, (x[:3],))  # batches of another size are not
    assert len(traces) == 2

    change = change_of_outputs((first,), (x,))
    assert change(other) == 0 and change(model) > 0
    traces.clear()
    model.set_weights(other.get_weights())
    assert change(model) == 0
    assert not traces

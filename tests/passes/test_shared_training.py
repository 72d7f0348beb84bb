"""Layers that learn with shared values, without their training loop."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from tflite_compress.support.backend import tf_keras


def test_a_layer_computes_with_the_integers_of_the_file(keras: ModuleType) -> None:
    from tflite_compress.passes.algorithms.shared_training import SharedLayer, shared_kernel
    from tflite_compress.passes.algorithms.shared_values import channel_scales, fit_values

    rng = np.random.default_rng(0)
    layer = tf_keras().layers.Dense(16, name="dense")
    layer.build((None, 32))
    kernel = rng.normal(size=(32, 16)).astype(np.float32)
    kernel[0, 0] = 20  # far from the others, whose integers are small then
    layer.kernel.assign(kernel)
    scales = channel_scales(kernel, per_channel=True)
    shared = fit_values({"dense": kernel / scales}, 16, None)["dense"]
    trained = SharedLayer(layer, "kernel", scales, shared, keep_zeros=False)
    inputs = rng.normal(size=(8, 32)).astype(np.float32)
    steps = shared.values / np.abs(shared.values).max() * 127
    assert np.abs(steps - np.rint(steps)).max() > 0.1
    np.testing.assert_allclose(trained(inputs), inputs @ shared_kernel(trained).kernel, rtol=0, atol=1e-4)

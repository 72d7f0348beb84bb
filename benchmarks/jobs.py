"""One tool makes one file of one model; run by suite.py as a process of its own, prints time and memory."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

CALIBRATION = 256
BATCH, PRUNING_EPOCHS, QAT_EPOCHS = 128, 2, 1


def make(folder: Path, model: str, tool: str) -> bytes:
    """The file a tool makes of a trained model."""
    path = folder / f"{model}.keras"
    if tool.startswith("ours-"):
        return ours(path, folder / f"{model}.npz", tool.removeprefix("ours-"))
    with np.load(folder / f"{model}.npz") as data:
        x, y = data["x_train"].astype(np.float32, copy=False), data["y_train"]
    samples = chosen_for_calibration(x)
    if tool == "quantizer":
        return by_quantizer(path, samples)
    network = bridged(path)
    if tool == "tfmot-prune":
        network = pruned(network, x, y)
    elif tool == "tfmot-qat":
        network = aware(network, x, y)
    return converted(network, samples, tool != "float32")


def chosen_for_calibration(x: np.ndarray) -> np.ndarray:
    """The samples that every tool calibrates with."""
    return x[np.random.default_rng(0).permutation(len(x))[:CALIBRATION]]


def bridged(path: Path) -> Any:
    """The Keras 3 model as tf_keras, which TF-MOT demands and the converter needs for an LSTM."""
    from tflite_compress.models.load import load_model

    return load_model(path).network.handle


def converted(network: Any, samples: np.ndarray, quantize: bool) -> bytes:
    """TFLiteConverter as its guide shows: batch 1, full int8 with a representative dataset."""
    import tensorflow as tf

    shapes = [tf.TensorSpec([1, *i.shape[1:]], i.dtype, name=i.name) for i in network.inputs]
    concrete = tf.function(lambda value: network(value, training=False)).get_concrete_function(shapes[0])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], network)
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample[np.newaxis]] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())


def by_quantizer(path: Path, samples: np.ndarray, bits: int = 8) -> bytes:
    """litert-quantizer's static int8 recipe on the converter's float file.

    With 4 bits, the weights of convolutions and dense layers have 4 bits.
    """
    import tensorflow as tf
    from litert_quantizer import quantizer, recipe

    plain = converted(bridged(path), samples, False)
    tool = quantizer.Quantizer(bytearray(plain))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    for operator in ("CONV_2D", "FULLY_CONNECTED") if bits == 4 else ():
        tool.add_static_config(".*", operator, 8, 4)
    signature, ports = next(iter(tf.lite.Interpreter(model_content=plain).get_signature_list().items()))
    calibration = {signature: [{ports["inputs"][0]: sample[np.newaxis]} for sample in samples]}
    return bytes(tool.quantize(tool.calibrate(calibration)).quantized_model)


def pruned(
    network: Any, x: np.ndarray, y: np.ndarray, sparsity: float = 0.8, epochs: int = PRUNING_EPOCHS
) -> Any:
    """As in TF-MOT's tutorial "Pruning in Keras example"."""
    import tensorflow_model_optimization as tfmot

    steps = epochs * -(-len(x) // BATCH)
    often = min(100, max(1, steps // 10))  # its default of 100 never comes on few samples
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        min(0.5, sparsity / 2), sparsity, 0, steps, frequency=often
    )
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(network, pruning_schedule=schedule)
    wrapped.compile("adam", "sparse_categorical_crossentropy")
    callbacks = [tfmot.sparsity.keras.UpdatePruningStep()]
    wrapped.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=callbacks)
    return tfmot.sparsity.keras.strip_pruning(wrapped)


def aware(network: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """As in TF-MOT's tutorial "Quantization aware training in Keras example"."""
    import tensorflow_model_optimization as tfmot

    wrapped = tfmot.quantization.keras.quantize_model(network)
    wrapped.compile("adam", "sparse_categorical_crossentropy")
    wrapped.fit(x, y, batch_size=BATCH, epochs=QAT_EPOCHS, verbose=0)
    return wrapped


def ours(path: Path, data: Path, recipe: str) -> bytes:
    """This tool, as its README shows. No second copy of the data is kept, which would count as its memory."""
    import tflite_compress

    with np.load(data) as arrays, tempfile.TemporaryDirectory() as folder:
        x = arrays["x_train"].astype(np.float32, copy=False)
        samples = chosen_for_calibration(x)
        trained = None if recipe == "int8" else (x, arrays["y_train"])
        del x
        result = tflite_compress.compress(
            path,
            "raspberry-pi-4",
            recipe,
            train=trained,
            calibrate=samples,
            evaluate=(arrays["x_test"], arrays["y_test"]),
            max_drop=1.0,
            bundle=False,
            details=False,
            out=Path(folder) / "out",
        )
        return result.tflite.read_bytes()


def main(folder: Path, model: str, tool: str) -> None:
    """Make the file and print what that took: wall and CPU time without the imports, and peak memory."""
    from tflite_compress.support.backend import native_noise_captured, tensorflow, tf_keras
    from tflite_compress.timing.machine import peak_bytes

    with native_noise_captured():
        tensorflow()
        tf_keras()
        start, cpu_start = time.perf_counter(), sum(os.times()[:4])
        content = make(folder, model, tool)
        seconds, cpu_seconds = time.perf_counter() - start, sum(os.times()[:4]) - cpu_start
    (folder / f"{model}-{tool}.tflite").write_bytes(content)
    peak_mb = (peak_bytes() or 0) / 2**20
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])

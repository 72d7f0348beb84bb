"""Accuracy of int8: beside other tools, and what repairs give back.

    python benchmarks/accuracy.py FOLDER

Beside others: a CNN and an LSTM on Fashion-MNIST (see fashion.py), quantized by this tool's default recipe,
by TFLiteConverter alone and by litert-quantizer alone, on the same 256 calibration samples, chosen by three
seeds.

Every channel between two layers of the trained Fashion-MNIST network (see fashion.py) is multiplied by a
random power of two and divided again in the next layer. Plain int8 and the recipe repair-int8 run on the same
calibration data, 256 samples without labels, with a scale for each channel and with one for each kernel, for
three seeds. FOLDER keeps finished runs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import fashion
import numpy as np
from results import write_section

import tflite_compress

SEEDS = (0, 1, 2)
POWER = 4.0


def skewed(model: Any, seed: int) -> Any:
    """Scale channels behind each BatchNorm by 2**-4 to 2**4, the next layer's weights by the inverse."""
    rng = np.random.default_rng(seed)
    for index, norm in enumerate(model.layers):
        if type(norm).__name__ != "BatchNormalization":
            continue
        following = next(la for la in model.layers[index + 1 :] if hasattr(la, "kernel"))
        factors = np.exp2(rng.uniform(-POWER, POWER, norm.gamma.shape[0])).astype(np.float32)
        gamma, beta, mean, variance = norm.get_weights()
        norm.set_weights([gamma * factors, beta * factors, mean, variance])
        kernel, *bias = following.get_weights()
        following.set_weights([kernel / factors[:, np.newaxis], *bias])
    return model


def measured(folder: Path, seed: int, recipe: str, per_channel: bool) -> dict[str, float]:
    """Accuracy before and after, bytes and seconds of one run, finished earlier or now."""
    done = folder / f"skew-{seed}-{recipe}-{per_channel}.json"
    if not done.exists():
        from tflite_compress.support.backend import keras3

        model = skewed(keras3().models.load_model(folder / "fashion_cnn.keras"), seed)
        with np.load(folder / "data.npz") as data:
            result = tflite_compress.compress(
                model,
                "raspberry-pi-4",
                recipe,
                calibrate=data["x_train"][:256],
                evaluate=(data["x_test"], data["y_test"]),
                overrides={"per_channel": per_channel},
                max_drop=1.0,
                bundle=False,
                out=folder / "out" / done.stem,
            )
        report = result.report
        found = {
            "before": report.accuracy.before,
            "after": report.candidates[0].passes[-1].accuracy,
            "bytes": report.size.result.bytes,
            "seconds": report.seconds["passes"],
        }
        done.write_text(json.dumps(found))
    return dict(json.loads(done.read_text()))


def beside_others(folder: Path, name: str, seed: int) -> dict[str, float]:
    """Top-1 of one model quantized by three tools with the same calibration samples."""
    done = folder / f"beside-{name}-{seed}.json"
    if not done.exists():
        samples, x_test, y_test = same_data(folder, name, seed)
        result = tflite_compress.compress(
            folder / f"{name}.keras",
            "raspberry-pi-4",
            calibrate=samples,
            evaluate=(x_test, y_test),
            max_drop=0.003,
            bundle=False,
            out=folder / "out" / done.stem,
        )
        ours = result.tflite.read_bytes()
        plain, quantizer = converter_alone(folder, name, samples)
        found = {"float32": result.report.accuracy.before, "steps": len(result.report.candidates)}
        for tool, content in (("ours", ours), ("converter", plain), ("quantizer", quantizer)):
            found[tool] = top_1(content, x_test.astype(np.float32), y_test)
            found[f"{tool} bytes"] = len(content)
        done.write_text(json.dumps(found))
    return dict(json.loads(done.read_text()))


def same_data(folder: Path, name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibration samples chosen by a seed, and the test images and labels."""
    with np.load(folder / "data.npz") as data:
        x, x_test, y_test = data["x_train"], data["x_test"], data["y_test"]
    if name == "lstm":
        x, x_test = x[..., 0], x_test[..., 0]
    return x[np.random.default_rng(seed).permutation(len(x))[:256]].astype(np.float32), x_test, y_test


def repaired(folder: Path, name: str, seed: int) -> dict[str, float]:
    """Top-1 of one model with the recipe repair-int8 on the same calibration samples."""
    done = folder / f"beside-{name}-{seed}-repaired.json"
    if not done.exists():
        samples, x_test, y_test = same_data(folder, name, seed)
        result = tflite_compress.compress(
            folder / f"{name}.keras",
            "raspberry-pi-4",
            "repair-int8",
            calibrate=samples,
            evaluate=(x_test, y_test),
            max_drop=1.0,
            bundle=False,
            out=folder / "out" / done.stem,
        )
        report = result.report
        found = {"repaired": report.accuracy.after, "repaired bytes": report.size.result.bytes}
        done.write_text(json.dumps(found))
    return dict(json.loads(done.read_text()))


def converter_alone(folder: Path, name: str, samples: np.ndarray) -> tuple[bytes, bytes]:
    """What TFLiteConverter and litert-quantizer make of the model, used as their tutorials do.

    Batch 1 and tf_keras, as the converter refuses an LSTM of Keras 3 and any with a free batch.
    """
    import tensorflow as tf
    from litert_quantizer import quantizer, recipe

    from tflite_compress.models.load import load_model
    from tflite_compress.models.trace import traced

    concrete, owner = traced(load_model(folder / f"{name}.keras").network, 1)
    plain = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner).convert()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], owner)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[np.newaxis]] for x in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    tool = quantizer.Quantizer(bytearray(plain))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    signature, ports = next(iter(tf.lite.Interpreter(model_content=plain).get_signature_list().items()))
    calibration = {signature: [{ports["inputs"][0]: x[np.newaxis]} for x in samples]}
    return converter.convert(), bytes(tool.quantize(tool.calibrate(calibration)).quantized_model)


def top_1(content: bytes, x: np.ndarray, y: np.ndarray) -> float:
    """Share of samples classified right by a file."""
    from ai_edge_litert.interpreter import Interpreter

    from tflite_compress.runtimes.litert import quantize_array

    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    right = 0
    for sample, label in zip(x, y, strict=True):
        interpreter.reset_all_variables()
        interpreter.set_tensor(taken["index"], quantize_array(sample[np.newaxis], taken))
        interpreter.invoke()
        right += int(interpreter.get_tensor(given["index"])[0].argmax() == label)
    return right / len(y)


def side_by_side(folder: Path) -> None:
    """The table of tools."""
    rows = [
        "| model | tool | float32 top-1 | int8 top-1, seeds 0, 1, 2 | largest accuracy drop, points | bytes "
        "|",
        "|---|---|---|---|---|---|",
    ]
    titles = {
        "ours": "tflite-compress",
        "repaired": "tflite-compress, repair-int8",
        "converter": "TFLiteConverter alone",
        "quantizer": "litert-quantizer alone",
    }
    for name in ("fashion_cnn", "lstm"):
        runs = [{**beside_others(folder, name, seed), **repaired(folder, name, seed)} for seed in SEEDS]
        for tool, title in titles.items():
            scores = ", ".join(f"{100 * r[tool]:.2f}" for r in runs)
            worst = max(100 * (r["float32"] - r[tool]) for r in runs)
            cells = (name, title, f"{100 * runs[0]['float32']:.2f}", scores, f"{worst:.2f}")
            rows.append(f"| {' | '.join(cells)} | {int(runs[0][f'{tool} bytes']):,} |")
    text = [
        "Written by `benchmarks/accuracy.py`. Each tool gets the same 256 calibration samples without "
        "labels, "
        "drawn with three seeds. 10,000 test images; 0.10 points are 10 images. litert-quantizer has no "
        "integer LSTM, so this operator stays float32 in its file.",
        "",
    ]
    write_section("int8 compared with other tools", text + rows)


def train_lstm(path: Path, data: Path) -> None:
    """Train an LSTM that reads images row by row."""
    from tflite_compress.support.backend import keras3

    keras = keras3()
    keras.utils.set_random_seed(0)
    inputs = keras.Input((28, 28), name="rows")
    x = keras.layers.LSTM(64, name="memory")(inputs)
    outputs = keras.layers.Dense(10, activation="softmax", name="garment")(x)
    model = keras.Model(inputs, outputs, name="lstm")
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    with np.load(data) as archive:
        model.fit(archive["x_train"][..., 0], archive["y_train"], batch_size=256, epochs=5, verbose=2)
    model.save(path)


def main(folder: Path) -> None:
    """Run everything that is not there yet, and write the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "data.npz").exists():
        fashion.save_npz(folder / "data.npz")
    if not (folder / "fashion_cnn.keras").exists():
        fashion.train(folder / "fashion_cnn.keras", epochs=10)
    if not (folder / "lstm.keras").exists():
        train_lstm(folder / "lstm.keras", folder / "data.npz")
    side_by_side(folder)
    rows = [
        "| weight scales | recipe | float32 top-1 | int8 top-1, seeds 0, 1, 2 | largest accuracy drop, "
        "points | bytes | seconds |"
    ]
    rows += ["|---|---|---|---|---|---|---|"]
    for per_channel in (False, True):
        for recipe in ("int8", "repair-int8"):
            runs = [measured(folder, seed, recipe, per_channel) for seed in SEEDS]
            scores = ", ".join(f"{100 * r['after']:.2f}" for r in runs)
            worst = max(100 * (r["before"] - r["after"]) for r in runs)
            scales = "per-channel" if per_channel else "per-tensor"
            seconds = np.mean([r["seconds"] for r in runs])
            row = (scales, recipe, f"{100 * runs[0]['before']:.2f}", scores, f"{worst:.2f}")
            rows.append(f"| {' | '.join(row)} | {int(runs[0]['bytes']):,} | {seconds:.0f} |")
    text = [
        "Written by `benchmarks/accuracy.py`. In the Fashion-MNIST network, each channel between two layers "
        "is "
        "scaled by a random power of two from 1/16 to 16, and the next layer by the inverse. The function of "
        "the network does not change. 256 calibration samples, no labels, no training, 10,000 test images.",
        "",
    ]
    write_section("Repairing int8", text + rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Figures on bytes, MACs, accuracy and latency of the recipes that change more than the number type.

The baseline is the int8 file of TFLiteConverter. Writes docs/results.md; about 70 minutes on 2 cores.
Run with: .venv/bin/python benchmarks/compression.py FOLDER
(FOLDER keeps trained models and finished runs, so an interrupted benchmark goes on where it was)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fashion
import msgspec
import numpy as np
from results import write_section

from tflite_compress import compress
from tflite_compress.models.load import load_model
from tflite_compress.reporting.figures import Encoding
from tflite_compress.reporting.model import Report
from tflite_compress.runtimes.litert import LiteRTModel, predict
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.paired import measure_alternately

Ports = tuple[tuple[str, ...], tuple[str, ...]]
MODELS: dict[str, Callable[[], Any]] = {"fashion_cnn": fashion.build, "resnet8": fashion.build_resnet8}
DECODING = (
    "plain, bytes | encoded, bytes | encoded tensors | arena plain, bytes | arena encoded, bytes | "
    "latency ratio | equal inputs"
)
RECIPES = {
    "channel-prune-int8": "raspberry-pi-4",
    "tiny-mcu": "arduino-nano-33-ble",
    "deep-compression-int8": "arduino-nano-33-ble",
    "sparse-float32": "raspberry-pi-4",
}


def plain_int8(model: Path, images: np.ndarray) -> tuple[bytes, Ports]:
    """What TFLiteConverter makes of the model by itself, with full integer quantization."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(load_model(model).network.handle)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: ([images[i : i + 1]] for i in range(200))
    content = converter.convert()
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(model_content=content).get_signature_list()["serving_default"]
    return content, (tuple(signature["inputs"]), tuple(signature["outputs"]))


def top1(content: bytes, ports: Ports, data: tuple[np.ndarray, np.ndarray]) -> float:
    """Accuracy of a file on the test images."""
    return float(np.mean(predict(content, (data[0],), *ports)[0].argmax(axis=1) == data[1]))


def latency_ratio(file: Path, ports: Ports, plain: tuple[bytes, Ports], image: np.ndarray) -> float:
    """Latency of a file against the plain one's, interleaved."""
    models = [LiteRTModel(plain[0], *plain[1]), LiteRTModel(file.read_bytes(), *ports)]
    for model in models:
        model.set_inputs((image,))
    before, after = measure_alternately(models, 5.0)
    return after.median_ms / before.median_ms


class Run(msgspec.Struct):
    """One recipe on one model.

    Attributes:
        report: Its report.
        wall_s: Time of the whole run in seconds.
        against_plain: Latency divided by that of the plain converter's int8 file.
    """

    report: Report
    wall_s: float
    against_plain: float


def run(folder: Path, name: str, recipe: str, data: dict[str, Any], plain: tuple[bytes, Ports]) -> Run:
    """Run one recipe on one model, or read what an earlier run of this benchmark found."""
    out = folder / f"{name}-{recipe}"
    if not (folder / f"{name}-{recipe}.json").exists():
        start = time.perf_counter()
        result = compress(
            folder / f"{name}.keras", RECIPES[recipe], recipe, **data, max_drop=1.0, out=out, resize=False
        )
        wall_s = time.perf_counter() - start
        runs_here = result.tflite.with_name(result.report.plain_file or result.tflite.name)
        ports = load_model(folder / f"{name}.keras").network.tensor_names
        against_plain = latency_ratio(runs_here, ports, plain, data["evaluate"][0][:1])
        found = msgspec.json.encode(Run(result.report, wall_s, against_plain))
        (folder / f"{name}-{recipe}.json").write_bytes(found)
    return msgspec.json.decode((folder / f"{name}-{recipe}.json").read_bytes(), type=Run)


def row(name: str, found: Run, plain_bytes: int, plain_top1: float) -> str:
    """Return one line of the table."""
    report = found.report
    accuracy, size = report.accuracy, report.size.result.bytes
    macs = report.macs.result.value / report.macs.baseline.value
    return (
        f"| {name} | {size:,} | {size / plain_bytes:.2f} | {macs:.2f} | {accuracy.after:.4f} | "
        f"{100 * (accuracy.before - accuracy.after):+.2f} | {found.against_plain:.2f} | "
        f"{found.wall_s:.0f} |"
    )


def decode_row(name: str, encoding: Encoding) -> str:
    """Return what decoding costs in TFLite Micro on this machine."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in encoding.kinds.items())
    return (
        f"| {name} | {encoding.plain_bytes:,} | {encoding.bytes:,} | {kinds} | "
        f"{encoding.plain_arena_bytes:,} | {encoding.arena_bytes:,} | {encoding.time_ratio:.2f} | "
        f"{encoding.equal_samples} |"
    )


def recipes(folder: Path) -> None:
    """The table of recipes on both models."""
    x_train, y_train, x_test, y_test = fashion.load()
    scale = np.float32(1 / 255)
    data = {"train": (x_train * scale, y_train), "evaluate": (x_test * scale, y_test)}
    lines, decoding = [], []
    for name, build in MODELS.items():
        if not (folder / f"{name}.keras").exists():
            fashion.train(folder / f"{name}.keras", build=build)
        plain = plain_int8(folder / f"{name}.keras", data["train"][0])
        accuracy = top1(*plain, data["evaluate"])
        wanted = [recipe for recipe in RECIPES if name == "fashion_cnn" or recipe != "sparse-float32"]
        reports = {recipe: run(folder, name, recipe, data, plain) for recipe in wanted}
        before = next(iter(reports.values())).report.accuracy.before
        lines.append(
            f"| {name}, plain int8 | {len(plain[0]):,} | 1.00 | 1.00 | {accuracy:.4f} | "
            f"{100 * (before - accuracy):+.2f} | 1.00 | |"
        )
        for recipe, found in reports.items():
            lines.append(row(f"{name}, {recipe}", found, len(plain[0]), accuracy))
            if found.report.encoding:
                decoding.append(decode_row(f"{name}, {recipe}", found.report.encoding))
    content = (folder / "fashion_cnn-sparse-float32.json").read_bytes()
    sparse = msgspec.json.decode(content, type=Run).report.latency.dense_ratio
    write_section(
        "Recipes against the plain converter, Fashion-MNIST",
        [
            "Written by `benchmarks/compression.py`. Ratios are relative to the int8 file of TFLiteConverter "
            "without this tool. The accuracy drop is relative to the float Keras model, on the 10,000 test "
            f"images. Latency: {machine_name()}, LiteRT, 1 thread, interleaved; if weights are encoded, that "
            "of the plain file. Seconds include training on 2 cores.",
            "",
            "| model and recipe | bytes | size ratio | MACs ratio | top-1 | accuracy drop, points | latency "
            "ratio | seconds |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
            "",
            "Decoding on TFLite Micro with reference kernels on the same machine. The latency ratio is "
            'relative to the plain file. "Equal inputs" is the number of inputs on which both files gave '
            "bit-identical outputs.",
            "",
            f"| model and recipe | {DECODING} |",
            "|---|---|---|---|---|---|---|---|",
            *decoding,
            "",
            "`sparse-float32` on fashion_cnn: the latency ratio to the same weights stored densely is "
            f"{sparse:.2f}. LiteRT restores the zeros when it loads the file.",
        ],
    )


def lossless(folder: Path) -> None:
    """Write the section on encoding int8 models that are neither pruned nor clustered."""
    x_train, _, x_test, _ = fashion.load()
    scale = np.float32(1 / 255)
    if not (folder / "autoencoder.keras").exists():
        fashion.train_autoencoder(folder / "autoencoder.keras")
    flat = [(x * scale).reshape(-1, 784) for x in (x_train, x_test)]
    image = (x_train * scale, x_test * scale)
    data = {"autoencoder": (flat[0], flat[1][:1000]), "resnet8": image, "fashion_cnn": image}
    lines = []
    for name, (train, evaluate) in data.items():
        report = compress(
            folder / f"{name}.keras",
            "stm32h743",
            "int8",
            train=train,
            evaluate=evaluate,
            overrides={"encode": "auto"},
            max_drop=1.0,
            out=folder / f"{name}-lossless",
        ).report
        encoding = report.encoding
        if encoding is None:
            lines.append(f"| {name} | no gain | {report.size.result.bytes:,} | | | | | | |")
            continue
        saved = 1 - encoding.bytes / encoding.plain_bytes
        lines.append(decode_row(name, encoding).replace(" | ", f" | {saved:.1%} | ", 1))
    write_section(
        "Encoding alone",
        [
            "Written by `benchmarks/compression.py`. Recipe int8 with `--encode=auto` on trained models "
            "without pruning or clustering. Ratios are relative to the same file with plain weights. Columns "
            "as in the section above.",
            "",
            f"| model | saved | {DECODING} |",
            "|---|---|---|---|---|---|---|---|---|",
            *lines,
        ],
    )


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "compression-benchmark")
    place.mkdir(parents=True, exist_ok=True)
    recipes(place)
    lossless(place)

"""Networks that are made here: their accuracy in float16 on the GPU accelerator, and their bundles.

``benchmarks/gpu.py`` writes the section. Fashion-MNIST needs: apt-get install dataset-fashion-mnist
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fashion
import numpy as np

import tflite_compress as tc
from tflite_compress.bundling.gpu_parts import run_parts, split_for_gpu
from tflite_compress.bundling.vectors import make_vectors
from tflite_compress.data.raw import random_data
from tflite_compress.reporting.recorded import read_results
from tflite_compress.reporting.scores import format_score, interval_in_words
from tflite_compress.runtimes.gpu import gpu_runtime
from tflite_compress.runtimes.gpu_plan import AT_LOADING, ask_accelerator
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.tflite.tensor_specs import read_signature

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))
from tests.tflite.pose_file import pose_network  # noqa: E402

VECTORS = 4
FASHION_IMAGES = 6000


@dataclass(frozen=True)
class Data:
    """Training and test samples with labels."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def digits() -> Data:
    """The example's digits, 8 x 8 pixels from 0 to 16."""
    with np.load(ROOT / "examples" / "digits.npz") as held:
        return Data(*(held[name] for name in ("x_train", "y_train", "x_test", "y_test")))


def garments() -> Data:
    """Some of Fashion-MNIST's training images, chosen with a seed, and all test images."""
    x, y, x_test, y_test = fashion.load()
    few = np.random.default_rng(0).permutation(len(x))[:FASHION_IMAGES]
    scale = np.float32(1 / 255)
    return Data(x[few] * scale, y[few], x_test * scale, y_test)


def transformer() -> Any:
    """Two blocks of attention over the rows of a digit, with LayerNormalization and GELU."""
    import keras

    layers = keras.layers
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Dense(32)(layers.Reshape((8, 8))(layers.Rescaling(1 / 16)(image)))
    for _ in range(2):
        attended = layers.MultiHeadAttention(4, 8)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, attended]))
        wide = layers.Dense(64, activation="gelu")(x)
        x = layers.LayerNormalization()(layers.Add()([x, layers.Dense(32)(wide)]))
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="transformer")


def trained(build: Callable[[], Any], data: Data, epochs: int) -> Any:
    """Return a network trained with Adam, from a fixed seed."""
    import keras

    keras.utils.set_random_seed(0)
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data.x_train.astype("float32"), data.y_train, batch_size=32, epochs=epochs, verbose=0)
    return model


def classifiers() -> Iterator[tuple[str, Any, Data]]:
    """Yield trained networks with their data."""
    yield "digits, CNN", str(ROOT / "examples" / "digits.keras"), digits()
    yield "digits, transformer", trained(transformer, digits(), 20), digits()
    if fashion.available():
        yield "Fashion-MNIST, depthwise CNN", trained(fashion.build, garments(), 8), garments()


def accuracy_rows() -> list[str]:
    """Compress each network for a phone's GPU; return the rows of the table."""
    rows = []
    for name, model, data in classifiers():
        with tempfile.TemporaryDirectory() as folder:
            samples, held = (Path(folder) / f"{part}.npz" for part in ("train", "test"))
            np.savez(samples, x=data.x_train, y=data.y_train)
            np.savez(held, x=data.x_test, y=data.y_test)
            tc.compress(
                model,
                "android-gpu",
                data=str(samples),
                evaluate=str(held),
                out=f"{folder}/out",
                details=False,
            )
            (result,) = read_results(Path(folder) / "out")
        report, gpu = result.report, result.report.gpu_accuracy
        assert report.gpu is not None and report.gpu.score is not None
        assert gpu is not None and gpu.evidence is not None and gpu.evidence.drop_interval is not None
        score, cpu = report.gpu.score, report.accuracy
        whole = "yes" if score.is_whole else f"no, {score.operators_on_cpu} on the CPU"
        cells = (
            name,
            report.recipe.name,
            sum(report.operators.values()),
            whole,
            format_score(cpu.metric, cpu.before),
            format_score(cpu.metric, cpu.after),
            format_score(gpu.metric, gpu.after),
            f"{gpu.samples:,}",
            interval_in_words(gpu.metric, gpu.evidence.drop_interval),
            f"{max(output.max_difference for output in score.by_output.values()):.2g}",
        )
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return rows


def pose_rows() -> list[str]:
    """Bundle pose networks whose last operators the GPU refuses; return the rows of the table."""
    rows = []
    for blocks, size, channels, points in ((4, 32, 16, 5), (12, 96, 24, 17)):
        content = pose_network(blocks, size, channels, points)
        vectors = make_vectors(
            content, random_data(read_signature(content), VECTORS), host_runtime(seconds=0)
        )
        plan, parts = ask_accelerator(content), split_for_gpu(content, vectors)
        assert parts is not None
        head = ask_accelerator(parts.split.head)
        found = run_parts(parts.split, vectors.inputs, gpu_runtime()).outputs
        assert found is not None
        rows_gpu, rows_cpu = found[0], vectors.expected[0]
        alike = np.abs(rows_gpu - rows_cpu) < 1
        operators = [op for op in plan.operators if op.reason != AT_LOADING]
        cells = (
            f"{size} x {size}, {blocks} convolutions, {points} key points",
            f"{sum(bool(op.on_gpu) for op in operators)} of {len(operators)}",
            f"{sum(bool(op.on_gpu) for op in head.operators)} of {len(head.operators)}",
            ", ".join(parts.split.tail_operators),
            f"{parts.split.passed_bytes / 1024:.1f}",
            f"{alike.sum()} of {alike.size}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def tables_of_made() -> list[str]:
    """Return both tables."""
    accuracy = (
        *("network", "recipe", "operators", "whole on the GPU", "original", "result, CPU", "result, GPU"),
        *("samples on the GPU", "95 % interval of the drop on the GPU", "largest difference from the CPU"),
    )
    pose = (
        *("network", "on the GPU, one file", "on the GPU, first of two", "second file", "KB passed"),
        "rows within 1 of the CPU's",
    )
    text = (
        "Networks like MoveNet with random weights: heatmaps, ARG_MAX over each, and GATHER_ND of an offset. "
        "The bundle has two files. Both together give the outputs of the undivided file on the CPU, bit for "
        f"bit, on {VECTORS} random images. In float16, a peak that is hardly higher than another one may be "
        "missed: the last column counts the key points whose row is the same."
    )
    return [*_heading(accuracy), *accuracy_rows(), "", text, "", *_heading(pose), *pose_rows()]


def _heading(columns: tuple[str, ...]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]

"""What 4,000 images allow: the points that compression loses with few training samples, for docs/results.md.

    python benchmarks/small_data.py FOLDER [--model=NAME] [--row=TEXT] [--seed=N] [--table]

Trains a ResNet8 of MLPerf Tiny's layout and the CNN of fashion.py on all Fashion-MNIST images, then
compresses them with 4,000 of these images; accuracy is that on the 10,000 test images. FOLDER keeps models
and finished rows, so an interrupted run goes on. --model and --row choose what runs: all rows whose name
contains the text. --table writes the section of docs/results.md from the rows that are finished.
Needs: apt-get install dataset-fashion-mnist
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fashion
import msgspec
import numpy as np
from results import write_section

IMAGES = 4_000


@dataclass(frozen=True)
class Row:
    """A way to compress, and the goal for it on two idle cores.

    Attributes:
        recipe: Name of the recipe.
        points: Accuracy that may be lost.
        seconds: Time that it may take.
        settings: Settings of the recipe.
    """

    recipe: str
    points: float
    seconds: int
    settings: Mapping[str, float] = field(default_factory=dict)


def _channels(**targets: float) -> Mapping[str, float]:
    return {"target_macs": 1.0, "target_size": 1.0, "epochs": 30, **targets}


ROWS = {
    "int8": Row("int8", 0.3, 60),
    "50 % sparse": Row("prune-int8", 0.8, 300, {"sparsity": 0.5, "epochs": 30}),
    "65 % sparse": Row("prune-int8", 1.5, 300, {"sparsity": 0.65, "epochs": 30}),
    "80 % sparse": Row("prune-int8", 3.0, 1200, {"sparsity": 0.8, "epochs": 100}),
    "one-shot 50 % sparse": Row("oneshot-prune-int8", 1.0, 60, {"sparsity": 0.5}),
    "one-shot channels, 0.8x MACs": Row("oneshot-channel-int8", 2.0, 60, {"target_macs": 0.8}),
    "channels, 0.75x bytes": Row("channel-prune-int8", 1.5, 300, _channels(target_size=0.75)),
    "channels, 0.6x bytes": Row("channel-prune-int8", 2.5, 600, _channels(target_size=0.6)),
    "channels, 0.65x MACs": Row("channel-prune-int8", 2.0, 600, _channels(target_macs=0.65)),
}


class Result(msgspec.Struct, frozen=True):
    """A finished row.

    Attributes:
        bytes: Of the file.
        top1: On the test images.
        drop: Points lost, and the ends of its 95 % interval.
        seconds: Wall time of the whole call, on a machine that may have had other work.
    """

    bytes: int
    top1: float
    drop: tuple[float, float, float]
    seconds: float


def build_resnet8() -> Any:
    """ResNet8 as MLPerf Tiny has it: convolutions with bias, 1x1 shortcuts without BatchNorm."""
    import keras

    layers = keras.layers

    def convolved(x: Any, channels: int, stride: int, name: str) -> Any:
        x = layers.Conv2D(channels, 3, stride, padding="same", name=name)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((28, 28, 1), name="image")
    x = layers.ReLU()(convolved(inputs, 16, 1, "stem"))
    for index, (channels, stride) in enumerate([(16, 1), (32, 2), (64, 2)], 1):
        y = layers.ReLU()(convolved(x, channels, stride, f"first_{index}"))
        y = convolved(y, channels, 1, f"second_{index}")
        if stride > 1:
            x = layers.Conv2D(channels, 1, stride, padding="same", name=f"shortcut_{index}")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="garment")(x), name="resnet8")


MODELS: dict[str, Callable[[], Any]] = {"resnet8": build_resnet8, "fashion_cnn": fashion.build}


def run(folder: Path, model: str, row: Row, seed: int, out: Path) -> Result:
    """Compress once into the folder ``out``."""
    from tflite_compress import compress

    x_train, y_train, x_test, y_test = fashion.load()
    scale = np.float32(1 / 255)
    few = np.random.default_rng(seed).permutation(len(x_train))[:IMAGES]
    start = time.perf_counter()
    result = compress(
        folder / f"{model}.keras",
        "raspberry-pi-4",
        row.recipe,
        train=(x_train[few] * scale, y_train[few]),
        evaluate=(x_test * scale, y_test),
        overrides=dict(row.settings),
        max_drop=1.0,
        seed=seed,
        bundle=False,
        details=False,
        out=out,
    )
    size, accuracy = result.report.size.result, result.report.accuracy
    interval = accuracy.evidence.drop_interval if accuracy.evidence else None
    low, high = (interval.low, interval.high) if interval else (float("nan"), float("nan"))
    drop = (100 * accuracy.drop, 100 * low, 100 * high)
    return Result(size.bytes, accuracy.after, drop, time.perf_counter() - start)


def finished(folder: Path, model: str, seed: int, name: str) -> Path:
    """The file of a finished row."""
    return folder / f"{model}-{seed}-{name.replace(' ', '_').replace(',', '').replace('%', 'percent')}.json"


def line(folder: Path, model: str, name: str, seeds: list[int]) -> str | None:
    """One line of the table: the mean over the seeds that are finished; None if there are none."""
    paths = [path for seed in seeds if (path := finished(folder, model, seed, name)).exists()]
    if not paths:
        return None
    found = [msgspec.json.decode(path.read_bytes(), type=Result) for path in paths]
    drops = "; ".join(f"{r.drop[0]:+.2f} ({r.drop[1]:+.2f} to {r.drop[2]:+.2f})" for r in found)
    mean = float(np.mean([r.drop[0] for r in found]))
    seconds = float(np.mean([r.seconds for r in found]))
    return (
        f"| {model}, {name} | {found[0].bytes:,} | {mean:+.2f} | {drops} | {ROWS[name].points:.1f} | "
        f"{seconds:.0f} | {ROWS[name].seconds} |"
    )


def write_table(folder: Path) -> None:
    """Write the section of docs/results.md."""
    seeds = list(range(10))
    lines = [line(folder, model, name, seeds) for model in MODELS for name in ROWS]
    write_section(
        "Small data, Fashion-MNIST",
        [
            f"Written by `benchmarks/small_data.py`. Training and calibration with {IMAGES:,} images, int8 "
            "files, accuracy on the 10,000 test images. Each drop has its 95 % interval; one value for each "
            "seed that was run. Seconds are those of the whole call on a machine that had other work.",
            "",
            "| model and row | bytes | mean drop, points | drops | goal, points | seconds | goal, seconds |",
            "|---|---|---|---|---|---|---|",
            *(text for text in lines if text),
        ],
    )


def main() -> None:
    """Run the rows that are chosen and not finished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="", choices=["", *MODELS])
    parser.add_argument("--row", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.table:
        write_table(given.folder)
        return
    for model in [given.model] if given.model else [*MODELS]:
        if not (given.folder / f"{model}.keras").exists():
            fashion.train(given.folder / f"{model}.keras", build=MODELS[model])
        for name in (name for name in ROWS if given.row in name):
            path = finished(given.folder, model, given.seed, name)
            if not path.exists():
                found = run(given.folder, model, ROWS[name], given.seed, path.with_suffix(""))
                path.write_bytes(msgspec.json.encode(found))
            print(model, name, json.loads(path.read_bytes()))


if __name__ == "__main__":
    main()

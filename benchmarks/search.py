"""Figures on search: ten minutes for the smallest file that loses at most a point, beside points at random.

    python benchmarks/search.py FOLDER

The trained Fashion-MNIST network (see fashion.py), its 60,000 training images, half of the test images to
search with; the other half, which no trial has seen, is what the last column is about. FOLDER holds
fashion_cnn.keras and data.npz (benchmarks/accuracy.py makes them) and keeps finished runs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section

from tflite_compress.models.load import load_model
from tflite_compress.pipeline.recipes import describe, load_recipe
from tflite_compress.runtimes.litert import predict
from tflite_compress.searching.search import SearchSettings, search
from tflite_compress.support.progress import Terminal

BUDGET_SECONDS = 600.0
HALF = 5000


def plain_int8(model: Path, images: np.ndarray) -> int:
    """Bytes of what TFLiteConverter makes of the model by itself."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(load_model(model).network.handle)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: ([images[i : i + 1]] for i in range(200))
    return len(converter.convert())


def top_1(file: Path, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy of a finished file."""
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(model_path=str(file)).get_signature_list()["serving_default"]
    ports = tuple(signature["inputs"]), tuple(signature["outputs"])
    return float(np.mean(predict(file.read_bytes(), (x,), *ports)[0].argmax(axis=1) == y))


def searched(folder: Path, sampler: str) -> dict[str, Any]:
    """One search, finished earlier or now: its smallest point and how it does on images not searched with."""
    done = folder / f"search-{sampler}.json"
    if not done.exists():
        with np.load(folder / "data.npz") as data:
            x, y = data["x_test"], data["y_test"]
            result = search(
                str(folder / "fashion_cnn.keras"),
                "raspberry-pi-4",
                train=(data["x_train"], data["y_train"]),
                calibrate=data["x_train"][:256],
                evaluate=(x[:HALF], y[:HALF]),
                settings=SearchSettings(time_budget_seconds=BUDGET_SECONDS, sampler=sampler, restart=True),
                out=folder / f"search-{sampler}",
                progress=Terminal(),
            )
        plain = plain_int8(folder / "fashion_cnn.keras", x)
        original = load_model(folder / "fashion_cnn.keras").network.predict((x[HALF:],))[0]
        rows = []
        for point in result.front:
            unseen = top_1(result.folder / point["folder"] / point["file"], x[HALF:], y[HALF:])
            lost = float(np.mean(original.argmax(axis=1) == y[HALF:])) - unseen
            rows.append({**point, "lost_unseen": lost})
        trials = len(result.record["trials"])
        done.write_text(json.dumps({"plain": plain, "front": rows, "trials": trials}, indent=2))
    return dict(json.loads(done.read_text()))


def main(folder: Path) -> None:
    """Run both searches and write the section."""
    lines = [
        "Written by `benchmarks/search.py`. The search minimizes size and latency for a Raspberry Pi 4 with",
        "an accuracy drop of at most 1 point on 5,000 test images, with one worker. The row 'random' uses",
        "random sampling instead of TPE. Plain int8 is the file of TFLiteConverter. The last column is the",
        "accuracy drop on the other 5,000 test images, which the search does not see.",
        "",
        "| sampler | trials | file | bytes | size ratio to plain int8 | latency ratio to float32 | accuracy "
        "drop, points | drop on unseen images, points |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for sampler, title in (("tpe", "TPE"), ("random", "random")):
        found = searched(folder, sampler)
        for point in found["front"]:
            recipe = describe(load_recipe(str(folder / f"search-{sampler}" / point["recipe"])))
            size, latency = point["figures"]["size"], point["figures"]["latency"]
            lines.append(
                f"| {title} | {found['trials']} | {recipe}{', chosen' if point['chosen'] else ''} "
                f"| {size:,.0f} | {size / found['plain']:.2f} | {latency:.2f} | {100 * point['drop']:+.2f} "
                f"| {100 * point['lost_unseen']:+.2f} |"
            )
    write_section("Search: ten minutes on two cores", lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What repairs give back: a CNN whose channels were scaled badly, without changing its function.

    python benchmarks/accuracy.py FOLDER

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
        from tflite_compress.backend import keras3

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
            "before": report["accuracy"]["before"],
            "after": report["attempts"][0]["passes"][-1]["accuracy_after"],
            "bytes": report["size"]["result"]["bytes"],
            "seconds": report["seconds"]["passes"],
        }
        done.write_text(json.dumps(found))
    return dict(json.loads(done.read_text()))


def main(folder: Path) -> None:
    """Run everything that is not there yet, and write the table."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "data.npz").exists():
        fashion.save_npz(folder / "data.npz")
    if not (folder / "fashion_cnn.keras").exists():
        fashion.train(folder / "fashion_cnn.keras", epochs=10)
    rows = [
        "| scales | recipe | float32 top-1 | int8 top-1, seeds 0, 1, 2 | most points lost | bytes | seconds |"
    ]
    rows += ["|---|---|---|---|---|---|---|"]
    for per_channel in (False, True):
        for recipe in ("int8", "repair-int8"):
            runs = [measured(folder, seed, recipe, per_channel) for seed in SEEDS]
            scores = ", ".join(f"{100 * r['after']:.2f}" for r in runs)
            worst = max(100 * (r["before"] - r["after"]) for r in runs)
            scales = "each channel" if per_channel else "each kernel"
            seconds = np.mean([r["seconds"] for r in runs])
            row = (scales, recipe, f"{100 * runs[0]['before']:.2f}", scores, f"{worst:.2f}")
            rows.append(f"| {' | '.join(row)} | {int(runs[0]['bytes']):,} | {seconds:.0f} |")
    text = [
        "Written by `benchmarks/accuracy.py`. The Fashion-MNIST network with every channel between two "
        + "layers scaled by a random power of two from 1/16 to 16, and the next layer by the inverse: the "
        + "same function. 256 calibration samples, no labels, no training; 10,000 test images.",
        "",
    ]
    write_section("Repairing int8", text + rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

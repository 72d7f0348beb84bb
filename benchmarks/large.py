"""Large models through the int8 recipe: time, peak memory, bytes. Writes a section of docs/results.md.

    python benchmarks/large.py WORK_FOLDER

Weights are random (pretrained ones would be downloaded), which changes neither memory nor time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section

MODELS = {"EfficientNetV2S": 384, "ResNet50": 224}
TRAIN, EVALUATE = 100, 60
GIGA = 1e9


def main() -> None:
    """Run all models and write the section."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rows = [measured(folder, name, size) for name, size in MODELS.items()]
    write_section("Large models", text(rows))


def measured(folder: Path, name: str, size: int) -> dict[str, Any]:
    """Compress one model as a user would, in a process of its own."""
    model, data, out = folder / f"{name}.keras", folder / f"{name}.npz", folder / f"out-{name}"
    prepare(model, data, name, size)
    command = [
        sys.executable, "-m", "tflite_compress", "compress", str(model), "--device=raspberry-pi-4",
        f"--data={data}", "--recipe=int8", "--max-drop=100%", f"--out={out}", "--ledger=none",
    ]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - start
    report = json.loads((out / "report.json").read_text())
    return {"name": name, "size": size, "wall": seconds, "report": report}


def prepare(model: Path, data: Path, name: str, size: int) -> None:
    """Write model and data; in a child, so that their memory is not ours."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import large; "
        "large.write(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))"
    )
    here = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", code, here, model, data, name, str(size)], check=True)


def write(model: str, data: str, name: str, size: int) -> None:
    """A Keras application with seeded random weights, and seeded random images with labels."""
    import keras

    keras.utils.set_random_seed(0)
    keras.applications.__dict__[name](weights=None, input_shape=(size, size, 3)).save(model)
    rng = np.random.default_rng(0)
    images = {part: rng.integers(0, 256, (count, size, size, 3), np.uint8) for part, count in
              (("x_train", TRAIN), ("x_test", EVALUATE))}  # fmt: skip
    labels = {"y_train": rng.integers(0, 1000, TRAIN), "y_test": rng.integers(0, 1000, EVALUATE)}
    np.savez(data, allow_pickle=False, **images, **labels)


def text(rows: list[dict[str, Any]]) -> list[str]:
    """The section's body."""
    lines = [
        "Written by `benchmarks/large.py`. `compress --recipe=int8 --device=raspberry-pi-4` with report and "
        f"bundle. Random weights, {TRAIN} calibration images, {EVALUATE} evaluation images, 2 cores. Peak "
        f"memory "
        "is the resident set of the process.",
        "",
        "| model | input | parameters | float32 bytes | int8 bytes | seconds | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        r = row["report"]
        lines.append(
            f"| {row['name']} | {row['size']}x{row['size']} | {r['parameters']['original']:,} "
            f"| {r['size']['original_float32']['bytes']:,} | {r['size']['result']['bytes']:,} "
            f"| {row['wall']:.0f} | {r['peak_memory_bytes'] / GIGA:.1f} GB |"
        )
    return lines


if __name__ == "__main__":
    main()

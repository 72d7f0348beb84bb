"""How long the tool itself takes: start-up of the light commands, the main job, and evaluation.

Run with: .venv/bin/python benchmarks/speed.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "digits.keras"
DATA = ROOT / "examples" / "digits.npz"
COMMAND = [str(Path(sys.executable).with_name("tflite-compress"))]
LIMITS_S = {"--help": 0.3, "devices": 0.3, "devices rp2040": 0.3, "recipes": 0.3, "recipes int8": 0.3}


def wall_seconds(arguments: list[str], runs: int) -> float:
    """Median wall time of a command over some runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def evaluation_seconds(workers: int | None, content: bytes, images: np.ndarray) -> float:
    """Wall time of running a .tflite over all images."""
    from tflite_compress.runtimes.litert import predict

    start = time.perf_counter()
    predict(content, (images,), ("image",), ("digit",), workers=workers)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print one line each."""
    for line, limit in LIMITS_S.items():
        seconds = wall_seconds(line.split(), 7)
        print(f"tflite-compress {line}: {seconds:.3f} s (limit {limit} s)")
    with tempfile.TemporaryDirectory() as folder:
        job = ["compress", str(EXAMPLE), "--device=raspberry-pi-4", f"--data={DATA}", f"--out={folder}/out"]
        print(f"compress, recipe int8, on the example: {wall_seconds(job, 3):.1f} s (limit 20 s)")
        content = (Path(folder) / "out" / "digits.tflite").read_bytes()
    with np.load(DATA) as archive:
        images = np.repeat(archive["x_train"].astype(np.float32), 100, axis=0)
    one, two, chosen = [], [], []
    for _ in range(3):  # in turns, so that all see the same machine
        one.append(evaluation_seconds(1, content, images))
        two.append(evaluation_seconds(2, content, images))
        chosen.append(evaluation_seconds(None, content, images))
    for name, times in (("1 thread", one), ("2 threads", two), ("as the tool chooses", chosen)):
        rate = len(images) / statistics.median(times)
        print(f"evaluation of the example, {name}: {rate:,.0f} images a second")


if __name__ == "__main__":
    main()

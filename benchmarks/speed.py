"""Measure how long the tool itself takes: start-up of commands, the main job, and evaluation.

Run with: .venv/bin/python benchmarks/speed.py [--startup]
``--startup`` measures the start-up of commands only. Exit code 1 if a command exceeds its limit.
"""

from __future__ import annotations

import resource
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
LIMITS_S = {
    "--help": 0.3,
    "compress --help": 0.3,
    "devices": 0.3,
    "devices rp2040": 0.3,
    "recipes": 0.3,
    "recipes int8": 0.3,
    "inspect MODEL": 0.6,
    "check MODEL --device=rp2040": 0.6,
}
PROCESSES = 11
IMPORT_LIMIT = 1.7  # times the CPU time of importing TensorFlow
BARE = ("--no-bundle", "--no-details", "--ledger=none")


def wall_seconds(arguments: list[str], runs: int) -> float:
    """Return the median wall time of a command in seconds, each run in a process of its own."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def evaluation_seconds(workers: int | None, content: bytes, images: np.ndarray) -> float:
    """Return the wall time in seconds of running a .tflite over all images."""
    from tflite_compress.runtimes.litert import predict

    start = time.perf_counter()
    predict(content, (images,), ("image",), ("digit",), workers=workers)
    return time.perf_counter() - start


def measure_startup(folder: str) -> bool:
    """Print the time of each light command; return True if all are within their limits.

    Args:
        folder: Where the model to inspect and check is written.
    """
    out = f"{folder}/startup"
    job = ["compress", str(EXAMPLE), "--device=rp2040", f"--data={DATA}", f"--out={out}", *BARE]
    subprocess.run([*COMMAND, *job], check=True, capture_output=True)
    met = True
    for line, limit in LIMITS_S.items():
        words = line.replace("MODEL", f"{out}/digits.tflite").split()
        seconds = wall_seconds(words, PROCESSES)
        met = met and seconds <= limit
        print(f"tflite-compress {line}: {seconds:.3f} s (limit {limit} s)")
    return met


def cpu_seconds(command: list[str]) -> float:
    """Return the CPU time of a command in seconds; it depends less on other processes than wall time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure_main_job(folder: str) -> tuple[bytes, bool]:
    """Print the time of the main job; return the file it writes, and True if the job is within its limit."""
    job = ["compress", str(EXAMPLE), "--device=raspberry-pi-4", f"--data={DATA}", f"--out={folder}/out"]
    print(f"compress, recipe int8, on the example: {wall_seconds(job, 3):.1f} s (limit 20 s)")
    imports, jobs = [], []
    for _ in range(3):  # interleaved, so that both see the same state of the machine
        imports.append(cpu_seconds([sys.executable, "-c", "import tensorflow"]))
        jobs.append(cpu_seconds([*COMMAND, *job, *BARE]))
    ratio = statistics.median(jobs) / statistics.median(imports)
    print(
        f"the same without bundle and details: CPU time {statistics.median(jobs):.1f} s, {ratio:.2f} times "
        f"that of 'import tensorflow' ({statistics.median(imports):.1f} s; limit {IMPORT_LIMIT})"
    )
    return (Path(folder) / "out" / "digits.tflite").read_bytes(), ratio <= IMPORT_LIMIT


def measure_evaluation(content: bytes) -> None:
    """Print how many images per second a .tflite evaluates, by number of threads."""
    with np.load(DATA) as archive:
        images = np.repeat(archive["x_train"].astype(np.float32), 100, axis=0)
    times: dict[str, list[float]] = {}
    for _ in range(3):  # interleaved, so that all see the same state of the machine
        for name, workers in (("1 thread", 1), ("2 threads", 2), ("as the tool chooses", None)):
            times.setdefault(name, []).append(evaluation_seconds(workers, content, images))
    for name, seconds in times.items():
        rate = len(images) / statistics.median(seconds)
        print(f"evaluation of the example, {name}: {rate:,.0f} images per second")


def main() -> int:
    """Measure, and print one line each."""
    with tempfile.TemporaryDirectory() as folder:
        met = measure_startup(folder)
        if "--startup" not in sys.argv:
            content, within = measure_main_job(folder)
            measure_evaluation(content)
            met = met and within
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())

#!/usr/bin/env python3
"""Runs a .tflite on the machine this file lies on. Needs numpy and ai-edge-litert, nothing else.

    python3 runner.py MODEL.tflite --vectors=vectors.npz            check against expected outputs
    python3 runner.py MODEL.tflite --vectors=inputs.npz --json      outputs and timings as JSON

The .npz holds input_0, input_1, ... of shape (samples, ...) in the model's own types, and for a check also
expected_0, ... and tolerance_0, ... (largest difference, in steps for integers). From Python:

    model = Model("model.tflite", threads=4)
    outputs = model.run(image)          # real numbers in, real numbers out
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypedDict

import numpy as np

STDIN_CLOSED = 75
DIFFERENT = 1
UNUSABLE = 3


class Details(TypedDict):
    """Details of an input or output, as the interpreter reports them."""

    index: int
    shape: np.ndarray
    dtype: type
    quantization: tuple[float, int]


def _litert() -> tuple[ModuleType, str]:
    """Return the interpreter module of the installed package, and its version."""
    try:
        import ai_edge_litert
        from ai_edge_litert import interpreter

        return interpreter, "ai-edge-litert " + getattr(ai_edge_litert, "__version__", "")
    except ImportError:
        import tflite_runtime
        from tflite_runtime import interpreter

        return interpreter, "tflite-runtime " + getattr(tflite_runtime, "__version__", "")


class Model:
    """A loaded .tflite.

    Args:
        path: The file.
        threads: CPU threads.
        reference: Use the reference kernels instead of the optimized ones (XNNPACK).
    """

    def __init__(self, path: str | Path, threads: int = 1, reference: bool = False) -> None:
        module, self.runtime = _litert()
        extra = {"experimental_op_resolver_type": module.OpResolverType.BUILTIN_REF} if reference else {}
        self._interpreter = module.Interpreter(model_path=str(path), num_threads=threads, **extra)
        self._interpreter.allocate_tensors()
        self.inputs: list[Details] = self._interpreter.get_input_details()
        self.outputs: list[Details] = self._interpreter.get_output_details()

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run once on real numbers, one array per input; return real numbers, one array per output."""
        raw = [_quantized(a, d) for a, d in zip(arrays, self.inputs)]
        return [_dequantized(y, d) for y, d in zip(self.run_raw(*raw), self.outputs)]

    def run_raw(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run once on raw values (int8, ...), one array per input; return raw values."""
        self._interpreter.reset_all_variables()  # recurrent layers start from a fresh state
        for detail, array in zip(self.inputs, arrays):
            array = np.asarray(array, detail["dtype"]).reshape(detail["shape"])
            self._interpreter.set_tensor(detail["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(d["index"]).copy() for d in self.outputs]

    def invoke(self) -> None:
        """Run again on the inputs that are set."""
        self._interpreter.invoke()


def _quantized(array: np.ndarray, detail: Details) -> np.ndarray:
    scale, zero_point = detail["quantization"]
    if scale and np.issubdtype(detail["dtype"], np.integer):
        info = np.iinfo(detail["dtype"])
        array = np.clip(np.rint(np.asarray(array) / scale) + zero_point, info.min, info.max)
    return np.asarray(array, detail["dtype"]).reshape(detail["shape"])


def _dequantized(array: np.ndarray, detail: Details) -> np.ndarray:
    scale, zero_point = detail["quantization"]
    if scale and np.issubdtype(array.dtype, np.integer):
        return np.asarray((array.astype(np.float32) - zero_point) * np.float32(scale), np.float32)
    return array


def run_samples(model: Model, vectors: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Run all samples; return one raw array per output, shape (samples, ...)."""
    inputs = [vectors[f"input_{i}"] for i in range(len(model.inputs))]
    rows = [model.run_raw(*(x[i] for x in inputs)) for i in range(len(inputs[0]) if inputs else 0)]
    return [np.stack(column) for column in zip(*rows)]


def timings(model: Model, seconds: float) -> list[float]:
    """Time single runs in ms for about ``seconds``, after a warm-up; at least five runs."""
    deadline = time.perf_counter() + seconds / 5
    while time.perf_counter() < deadline:
        model.invoke()
    found: list[float] = []
    deadline = time.perf_counter() + seconds
    while len(found) < 5 or (time.perf_counter() < deadline and len(found) < 100000):
        start = time.perf_counter()
        model.invoke()
        found.append((time.perf_counter() - start) * 1000)
    return found


def differences(
    outputs: list[np.ndarray], vectors: Mapping[str, np.ndarray]
) -> Iterator[tuple[float, float]]:
    """Yield the largest difference from the expected output and the tolerance, per output."""
    for index, found in enumerate(outputs):
        expected = vectors[f"expected_{index}"]
        gap = np.abs(found.astype(np.float64) - expected.astype(np.float64))
        allowed = float(vectors[f"tolerance_{index}"]) if f"tolerance_{index}" in vectors else 0.0
        yield (float(gap.max()) if gap.size else 0.0), allowed


def as_json(model: Model, outputs: list[np.ndarray], load_ms: float, times: list[float]) -> dict[str, object]:
    """Return outputs, timings and machine as plain data."""
    encoded = [
        {
            "dtype": y.dtype.str,
            "shape": list(y.shape),
            "base64": base64.b64encode(np.ascontiguousarray(y).tobytes()).decode(),
        }
        for y in outputs
    ]
    ordered = sorted(times)
    latency = {
        "median_ms": statistics.median(ordered),
        "p90_ms": ordered[int(0.9 * (len(ordered) - 1))],
        "min_ms": ordered[0],
        "runs": len(ordered),
    }
    where = {
        "machine": platform.machine(),
        "model": _board(),
        "python": platform.python_version(),
        "runtime": model.runtime,
        "numpy": np.__version__,
    }
    return {"outputs": encoded, "latency": latency, "load_ms": load_ms, "peak_kb": _peak_kb(), "where": where}


def _board() -> str:
    try:
        with open("/proc/device-tree/model") as stream:
            return stream.read().strip("\x00\n")
    except OSError:
        return platform.node()


def _peak_kb() -> int:
    try:
        with open("/proc/self/status") as stream:
            return int(next(line for line in stream if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration, ValueError):
        return 0


def _leave_when_stdin_closes() -> None:
    """End this process when standard input closes: the connection that started it is lost."""

    def watch() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would be held when Python ends
            pass
        os._exit(STDIN_CLOSED)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    """Run the command line. Exit code 0: correct outputs; 1: wrong outputs; 3: the model cannot run."""
    parser = argparse.ArgumentParser(description="Run a .tflite and check or print its outputs.")
    parser.add_argument("model")
    parser.add_argument("--vectors", default="vectors.npz", help="samples, and expected outputs to check")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reference", action="store_true", help="reference kernels instead of XNNPACK")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to measure latency")
    parser.add_argument("--json", action="store_true", help="print outputs and timings as JSON")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when standard input closes")
    options = parser.parse_args()
    if options.watch_stdin:
        _leave_when_stdin_closes()
    try:
        start = time.perf_counter()
        model = Model(options.model, options.threads, options.reference)
        load_ms = (time.perf_counter() - start) * 1000
        with np.load(options.vectors) as archive:
            vectors = dict(archive)
        outputs = run_samples(model, vectors)
    except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return UNUSABLE
    times = timings(model, options.seconds)
    if options.json:
        print(json.dumps(as_json(model, outputs, load_ms, times)))
        return 0
    wrong = False
    for index, (gap, allowed) in enumerate(differences(outputs, vectors)):
        good = gap <= allowed
        wrong = wrong or not good
        verdict = "ok" if good else "DIFFERENT"
        print(f"output {index}: largest difference {gap:g}, allowed {allowed:g}: {verdict}")
    print(f"latency: median {statistics.median(times):.3f} ms over {len(times)} runs")
    return DIFFERENT if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs a .tflite on the machine this file lies on. Needs numpy and ai-edge-litert, nothing else.

    python3 runner.py MODEL.tflite --vectors=vectors.npz            check against expected outputs
    python3 runner.py MODEL.tflite --vectors=inputs.npz --json      outputs and timings as JSON

The .npz holds input_0, input_1, ... of shape (samples, ...) in the model's own types. For a check it also
holds tolerance_0, ... (largest difference, in steps for integers), expected_0, ... (outputs of each sample
from a fresh state) and, for models that keep a state, sequence_0, ... (outputs of the samples as one
sequence). From Python:

    model = Model("model.tflite", threads=4)
    outputs = model.run(image)          # real numbers in, real numbers out; from a fresh state
    outputs = model.stream(frame)       # goes on from the state of the last call
    model.reset()                       # the next call starts a new sequence
"""

from __future__ import annotations

import argparse
import base64
import functools
import json
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TypedDict

import numpy as np

STDIN_CLOSED = 75
DIFFERENT = 1
UNUSABLE = 3
# Subgraphs may hold VAR_HANDLE, and the interpreter lists only the operators of the main graph.
MAY_HOLD_RESOURCES = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE", "WHILE", "IF"}


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
        self._make = functools.partial(module.Interpreter, model_path=str(path), num_threads=threads, **extra)
        self._load()
        self.inputs: list[Details] = self._interpreter.get_input_details()
        self.outputs: list[Details] = self._interpreter.get_output_details()

    def _load(self) -> None:
        self._interpreter = self._make()
        self._interpreter.allocate_tensors()
        self._is_fresh = True

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run one sample from a fresh state.

        Takes real numbers, one array per input, and returns real numbers, one array per output.
        """
        self.reset()
        return self.stream(*arrays)

    def stream(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run the next sample of a sequence: the state of earlier calls is kept. See reset() and run()."""
        raw = [_quantized(a, d) for a, d in zip(arrays, self.inputs)]
        return [_dequantized(y, d) for y, d in zip(self.stream_raw(*raw), self.outputs)]

    def reset(self) -> None:
        """Go back to a fresh state, as after loading."""
        if self._is_fresh:
            return
        if self._needs_new_interpreter():
            self._load()
        else:
            self._interpreter.reset_all_variables()
        self._is_fresh = True

    def _needs_new_interpreter(self) -> bool:
        """Return True for resource variables: reset_all_variables() does not reset them."""
        try:
            names = {op["op_name"] for op in self._interpreter._get_ops_details()}
        except AttributeError:
            return True
        return bool(names & MAY_HOLD_RESOURCES)

    def run_raw(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run one sample of raw values (int8, ...) from a fresh state; return raw values."""
        self.reset()
        return self.stream_raw(*arrays)

    def stream_raw(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run the next sample of a sequence on raw values; return raw values."""
        self._is_fresh = False
        for detail, array in zip(self.inputs, arrays):
            array = np.asarray(array, detail["dtype"]).reshape(detail["shape"])
            self._interpreter.set_tensor(detail["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(d["index"]).copy() for d in self.outputs]

    def invoke(self) -> None:
        """Run again on the inputs that are set."""
        self._is_fresh = False
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


def run_samples(
    model: Model, vectors: Mapping[str, np.ndarray], as_sequence: bool = False
) -> list[np.ndarray]:
    """Run all samples, each from a fresh state or as one sequence.

    Returns one raw array per output, shape (samples, ...).
    """
    inputs = [vectors[f"input_{i}"] for i in range(len(model.inputs))]
    model.reset()
    run = model.stream_raw if as_sequence else model.run_raw
    rows = [run(*(x[i] for x in inputs)) for i in range(len(inputs[0]) if inputs else 0)]
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


def _encoded(outputs: list[np.ndarray]) -> list[dict[str, object]]:
    return [
        {"dtype": y.dtype.str, "shape": list(y.shape), "base64": base64.b64encode(y.tobytes()).decode()}
        for y in outputs
    ]


def as_json(
    model: Model,
    outputs: list[np.ndarray],
    sequence: list[np.ndarray] | None,
    load_ms: float,
    times: list[float],
) -> dict[str, object]:
    """Return outputs, timings and machine as plain data."""
    ordered = sorted(times)
    return {
        "outputs": _encoded(outputs),
        "sequence": None if sequence is None else _encoded(sequence),
        "latency": {
            "median_ms": statistics.median(ordered),
            "p90_ms": ordered[int(0.9 * (len(ordered) - 1))],
            "min_ms": ordered[0],
            "runs": len(ordered),
        },
        "load_ms": load_ms,
        "peak_kb": _peak_kb(),
        "where": {
            "machine": platform.machine(),
            "model": _board(),
            "python": platform.python_version(),
            "runtime": model.runtime,
            "numpy": np.__version__,
        },
    }


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


def _check(what: str, outputs: list[np.ndarray], vectors: Mapping[str, np.ndarray], name: str) -> bool:
    """Print the largest difference from each expected output; return True if all are within the tolerance."""
    right = True
    for index, found in enumerate(outputs):
        gaps = np.abs(found.astype(np.float64) - vectors[f"{name}_{index}"].astype(np.float64))
        gap = float(gaps.max()) if gaps.size else 0.0
        allowed = float(vectors[f"tolerance_{index}"]) if f"tolerance_{index}" in vectors else 0.0
        verdict = "ok" if gap <= allowed else "DIFFERENT"
        right = right and gap <= allowed
        print(f"output {index}{what}: largest difference {gap:g}, allowed {allowed:g}: {verdict}")
    return right


def main() -> int:
    """Run the command line. Exit code 0: correct outputs; 1: wrong outputs; 3: the model cannot run."""
    parser = argparse.ArgumentParser(description="Run a .tflite and check or print its outputs.")
    parser.add_argument("model")
    parser.add_argument("--vectors", default="vectors.npz", help="samples, and expected outputs to check")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reference", action="store_true", help="reference kernels instead of XNNPACK")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to measure latency")
    parser.add_argument("--json", action="store_true", help="print outputs and timings as JSON")
    parser.add_argument("--sequence", action="store_true", help="run the samples as one sequence too")
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
        as_sequence = options.sequence or "sequence_0" in vectors
        sequence = run_samples(model, vectors, True) if as_sequence else None
    except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return UNUSABLE
    times = timings(model, options.seconds)
    if options.json:
        print(json.dumps(as_json(model, outputs, sequence, load_ms, times)))
        return 0
    fresh = ", each sample from a fresh state" if "sequence_0" in vectors else ""
    right = _check(fresh, outputs, vectors, "expected")
    if sequence is not None and "sequence_0" in vectors:
        right &= _check(", samples as one sequence", sequence, vectors, "sequence")
    print(f"latency: median {statistics.median(times):.3f} ms over {len(times)} runs")
    return 0 if right else DIFFERENT


if __name__ == "__main__":
    sys.exit(main())

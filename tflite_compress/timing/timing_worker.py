"""The process a model is timed in: reads commands as lines of JSON, answers likewise.

Started by path, so that nothing but numpy and the interpreter is in its memory.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


class _LiteRT:
    """A model in LiteRT.

    Raises:
        RuntimeError, ValueError: The interpreter refuses it.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kinds = {
            "xnnpack": OpResolverType.AUTO,
            "no-delegate": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            "reference": OpResolverType.BUILTIN_REF,
        }
        self._interpreter = Interpreter(
            model_path=job["path"],
            num_threads=job["threads"],
            experimental_op_resolver_type=kinds[job["kernels"]],
        )
        details = self._interpreter.get_input_details()
        if job.get("batch"):
            for detail in details:
                self._interpreter.resize_tensor_input(detail["index"], [job["batch"], *detail["shape"][1:]])
        self._interpreter.allocate_tensors()
        shapes = [d["shape"] for d in self._interpreter.get_output_details()]
        if job.get("batch") and any(len(s) and s[0] != job["batch"] for s in shapes):
            raise ValueError("the file fixes the batch size")
        self.invoke: Callable[[], None] = self._interpreter.invoke

    def set_inputs(self, arrays: list[np.ndarray], batch: int | None) -> None:
        for detail, array in zip(self._interpreter.get_input_details(), arrays):  # noqa: B905
            shape = list(detail["shape"])
            rows = np.repeat(array[:1], batch, axis=0) if batch else array[0]
            self._interpreter.set_tensor(detail["index"], np.asarray(rows, detail["dtype"]).reshape(shape))


class _Micro:
    """A model in TFLite Micro.

    Raises:
        RuntimeError, ValueError: The interpreter refuses it.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        from tflite_micro.python.tflite_micro import runtime

        with open(job["path"], "rb") as stream:
            content = stream.read()
        self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=job["arena_bytes"])
        self.invoke: Callable[[], None] = self._interpreter.invoke

    def set_inputs(self, arrays: list[np.ndarray], batch: int | None) -> None:
        for index, array in enumerate(arrays):
            detail = self._interpreter.get_input_details(index)
            self._interpreter.set_input(array[0].astype(detail["dtype"]).reshape(detail["shape"]), index)


def load(job: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Load a model, run it once, and say how long both took and how much memory it all needs."""
    kind = _Micro if job["kernels"] == "tflm" else _LiteRT
    _import(job["kernels"])
    with np.load(job["inputs"], allow_pickle=False) as archive:
        arrays = [archive[f"input_{i}"] for i in range(len(archive.files))]
    before = memory_bytes("VmRSS")
    start = time.perf_counter()
    model = kind(job)
    loaded = time.perf_counter()
    model.set_inputs(arrays, job.get("batch"))
    ready = time.perf_counter()
    model.invoke()
    first = time.perf_counter()
    answer = {
        "load_ms": (loaded - start) * 1e3,
        "first_ms": (first - ready) * 1e3,
        "before_bytes": before,
        "peak_bytes": memory_bytes("VmHWM"),
    }
    return model, answer


def _import(kernels: str) -> None:
    """Load the runtime's library first: its time and memory are not the model's."""
    if kernels == "tflm":
        from tflite_micro.python.tflite_micro import runtime  # noqa: F401
    else:
        from ai_edge_litert import interpreter  # noqa: F401


def timed(invoke: Callable[[], None], runs: int) -> list[int]:
    """Nanoseconds of single runs."""
    clock = time.perf_counter_ns
    found = [0] * runs
    for index in range(runs):
        start = clock()
        invoke()
        found[index] = clock() - start
    return found


def turns(models: list[Any], runs: int, rounds: int) -> list[list[float]]:
    """For each round and model the median of so many single runs in nanoseconds, all models in turns."""
    found = []
    for number in range(rounds):
        row = [0.0] * len(models)
        for index in list(range(len(models)))[:: 1 if number % 2 == 0 else -1]:
            ordered = sorted(timed(models[index].invoke, runs))
            row[index] = float(ordered[len(ordered) // 2])
        found.append(row)
    return found


def _last(models: dict[str, Any]) -> Any:
    return next(reversed(models.values()))


def looped(invoke: Callable[[], None], runs: int) -> int:
    """Nanoseconds of many runs in a loop with nothing else in it."""
    rounds = range(runs)
    start = time.perf_counter_ns()
    for _ in rounds:
        invoke()
    return time.perf_counter_ns() - start


def memory_bytes(field: str) -> int:
    """This process's memory as Linux counts it; 0 elsewhere."""
    try:
        with open("/proc/self/status") as stream:
            return int(next(line for line in stream if line.startswith(field)).split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        return 0


def serve(answers: Any) -> None:
    """Answer commands until standard input closes."""
    models: dict[str, Any] = {}
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if job["do"] == "load":
                models[job["path"]], answer = load(job)
            elif job["do"] == "run":
                answer = {"ns": timed(_last(models).invoke, job["runs"])}
            elif job["do"] == "turns":
                answer = {"ns": turns(list(models.values()), job["runs"], job["rounds"])}
            elif job["do"] == "loop":
                answer = {"ns": looped(_last(models).invoke, job["runs"])}
            else:
                answer = {"peak_bytes": memory_bytes("VmHWM")}
        except (RuntimeError, ValueError, ImportError, OSError) as error:
            answer = {"error": " ".join(str(error).split())[:300] or type(error).__name__}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    channel = os.fdopen(os.dup(1), "w")  # native code that prints must not disturb the answers
    os.dup2(2, 1)
    serve(channel)

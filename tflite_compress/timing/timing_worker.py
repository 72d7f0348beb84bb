"""The child process that times models. It reads one command per line as JSON and replies in JSON.

It is started by path, so that only numpy and the interpreter are in its memory.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import IO, Protocol, TypedDict

import numpy as np


class Job(TypedDict):
    """A command to load a model; see ``Child.load``."""

    path: str
    inputs: str
    kernels: str
    threads: int
    arena_bytes: int
    batch: int | None


class Runner(Protocol):
    """A loaded model."""

    invoke: Callable[[], None]

    def set_inputs(self, arrays: list[np.ndarray], batch: int | None) -> None:
        """Copy the first sample in, repeated ``batch`` times."""


class _LiteRT:
    """A model in LiteRT.

    Raises:
        RuntimeError, ValueError: The interpreter refuses it.
    """

    def __init__(self, job: Job) -> None:
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

    def __init__(self, job: Job) -> None:
        from tflite_micro.python.tflite_micro import runtime

        with open(job["path"], "rb") as stream:
            content = stream.read()
        self._interpreter = runtime.Interpreter.from_bytes(content, arena_size=job["arena_bytes"])
        self.invoke: Callable[[], None] = self._interpreter.invoke

    def set_inputs(self, arrays: list[np.ndarray], batch: int | None) -> None:
        for index, array in enumerate(arrays):
            detail = self._interpreter.get_input_details(index)
            self._interpreter.set_input(array[0].astype(detail["dtype"]).reshape(detail["shape"]), index)


def load(job: Job) -> tuple[Runner, dict[str, float]]:
    """Load a model and run it once; return it with the times (ms) and memory (bytes) of both."""
    kind: type[_Micro | _LiteRT] = _Micro if job["kernels"] == "tflm" else _LiteRT
    _import(job["kernels"])
    with np.load(job["inputs"], allow_pickle=False) as archive:
        arrays = [archive[f"input_{i}"] for i in range(len(archive.files))]
    before = memory_bytes("VmRSS")
    start = time.perf_counter()
    model: Runner = kind(job)
    loaded = time.perf_counter()
    model.set_inputs(arrays, job.get("batch"))
    ready = time.perf_counter()
    model.invoke()
    first = time.perf_counter()
    reply = {
        "load_ms": (loaded - start) * 1e3,
        "first_ms": (first - ready) * 1e3,
        "before_bytes": before,
        "peak_bytes": memory_bytes("VmHWM"),
    }
    return model, reply


def _import(kernels: str) -> None:
    """Load the runtime's library first: its time and memory do not count as the model's."""
    if kernels == "tflm":
        from tflite_micro.python.tflite_micro import runtime  # noqa: F401
    else:
        from ai_edge_litert import interpreter  # noqa: F401


def timed(invoke: Callable[[], None], runs: int) -> list[int]:
    """Return the time of single runs in ns."""
    clock = time.perf_counter_ns
    found = [0] * runs
    for index in range(runs):
        start = clock()
        invoke()
        found[index] = clock() - start
    return found


def interleave(models: list[Runner], runs: int, rounds: int) -> list[list[float]]:
    """Run all models interleaved; return the median time in ns per round and model."""
    found = []
    for number in range(rounds):
        row = [0.0] * len(models)
        for index in list(range(len(models)))[:: 1 if number % 2 == 0 else -1]:
            ordered = sorted(timed(models[index].invoke, runs))
            row[index] = float(ordered[len(ordered) // 2])
        found.append(row)
    return found


def _last(models: dict[str, Runner]) -> Runner:
    return next(reversed(models.values()))


def looped(invoke: Callable[[], None], runs: int) -> int:
    """Return the time in ns of a loop of runs without a clock in it."""
    rounds = range(runs)
    start = time.perf_counter_ns()
    for _ in rounds:
        invoke()
    return time.perf_counter_ns() - start


def memory_bytes(field: str) -> int:
    """Return a field of this process's memory in bytes; 0 on systems other than Linux."""
    try:
        with open("/proc/self/status") as stream:
            return int(next(line for line in stream if line.startswith(field)).split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        return 0


def serve(replies: IO[str]) -> None:
    """Reply to commands until standard input closes."""
    models: dict[str, Runner] = {}
    for line in sys.stdin:
        job = json.loads(line)
        reply: object
        try:
            if job["do"] == "load":
                models[job["path"]], reply = load(job)
            elif job["do"] == "run":
                reply = {"ns": timed(_last(models).invoke, job["runs"])}
            elif job["do"] == "interleave":
                reply = {"ns": interleave(list(models.values()), job["runs"], job["rounds"])}
            elif job["do"] == "loop":
                reply = {"ns": looped(_last(models).invoke, job["runs"])}
            else:
                reply = {"peak_bytes": memory_bytes("VmHWM")}
        except (RuntimeError, ValueError, ImportError, OSError) as error:
            reply = {"error": " ".join(str(error).split())[:3000] or type(error).__name__}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    channel = os.fdopen(os.dup(1), "w")  # output of native code must not disturb the replies
    os.dup2(2, 1)
    serve(channel)

"""Compile and run files on LiteRT's GPU accelerator, in a process of its own: native code may crash.

    python gpu_child.py FOLDER

``FOLDER/job.json`` says what to do, see ``gpu_jobs``. One line of JSON per
file goes to standard output. The log of each file starts with a line on standard error.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import TypedDict

import ai_edge_litert
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.environment import Environment, EnvironmentOptions
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.options import CpuOptions, GpuOptions, Options
from ai_edge_litert.tensor_buffer import TensorBuffer

MARK = "== file "


class JobRecord(TypedDict):
    """The job; see ``gpu_jobs``."""

    first: int
    files: int
    float32: bool
    seconds: float


class Details(TypedDict):
    """Details of an input or output, as the accelerator reports them."""

    index: int
    dtype: str
    shape: list[int]


def main(folder: Path) -> None:
    """Do the job of a folder."""
    job: JobRecord = json.loads((folder / "job.json").read_text())
    environment = Environment.create(
        options=EnvironmentOptions(runtime_path=str(Path(str(ai_edge_litert.__file__)).parent))
    )
    for number in range(job["first"], job["files"]):
        print(f"{MARK}{number}", file=sys.stderr, flush=True)
        try:
            reply = _do(folder, number, job, environment)
        except Exception as error:  # the accelerator raises RuntimeError, ValueError, KeyError and others
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"file": number, **reply}), flush=True)
    os._exit(0)  # some drivers crash when they are unloaded


def _do(folder: Path, number: int, job: JobRecord, environment: Environment) -> dict[str, object]:
    """Compile a file, and run it on the samples if there are some."""
    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU | HardwareAccelerator.CPU,
        cpu_options=CpuOptions(num_threads=1),
        gpu_options=GpuOptions(enforce_f32=job["float32"]),
    )
    start = time.perf_counter()
    path = str(folder / f"{number}.tflite")
    model = CompiledModel.from_file(path, options=options, environment=environment)
    reply: dict[str, object] = {"compile_ms": (time.perf_counter() - start) * 1000}
    samples = folder / f"{number}.npz"
    if samples.exists():
        with np.load(samples) as archive:
            reply |= _run(model, dict(archive), job["seconds"])
    return reply


def _run(model: CompiledModel, samples: dict[str, np.ndarray], seconds: float) -> dict[str, object]:
    """Run all samples; the arrays are named after the tensors' indexes in the file."""
    key = model.get_signature_by_index(0)["key"]
    inputs: dict[str, Details] = model.get_input_tensor_details(key)
    outputs: dict[str, Details] = model.get_output_tensor_details(key)
    given = {name: model.create_input_buffer_by_name(key, name) for name in inputs}
    taken = {name: model.create_output_buffer_by_name(key, name) for name in outputs}
    found: dict[int, list[np.ndarray]] = {detail["index"]: [] for detail in outputs.values()}
    times: list[float] = []
    count = len(next(iter(samples.values())))
    for row in range(count):
        for name, detail in inputs.items():
            given[name].write(np.ascontiguousarray(samples[str(detail["index"])][row]).reshape(-1))
        start = time.perf_counter()
        model.run_by_name(key, given, taken)
        for name, detail in outputs.items():
            found[detail["index"]].append(_read(taken[name], detail))
        times.append((time.perf_counter() - start) * 1000)
    times += _time(model, key, given, taken, outputs, seconds)
    arrays = {index: _encoded(np.stack(rows)) for index, rows in found.items()}
    return {"outputs": arrays, "first_ms": times[0], "times_ms": times[1:]}


def _time(
    model: CompiledModel,
    key: str,
    given: dict[str, TensorBuffer],
    taken: dict[str, TensorBuffer],
    outputs: dict[str, Details],
    seconds: float,
) -> list[float]:
    """Time single runs in ms on the inputs that are set, with reading the outputs."""
    found: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        start = time.perf_counter()
        model.run_by_name(key, given, taken)
        for name, detail in outputs.items():
            _read(taken[name], detail)
        found.append((time.perf_counter() - start) * 1000)
    return found


def _read(buffer: TensorBuffer, detail: Details) -> np.ndarray:
    values = buffer.read(int(np.prod(detail["shape"], dtype=np.int64)), np.dtype(detail["dtype"]))
    return np.asarray(values).reshape(detail["shape"])


def _encoded(array: np.ndarray) -> dict[str, object]:
    text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "base64": text}


if __name__ == "__main__":
    main(Path(sys.argv[1]))

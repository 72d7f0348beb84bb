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
    stateful: list[int]


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


class Loaded:
    """A compiled file with its buffers.

    Args:
        path: The file.
        float32: Compute in float32.
        environment: The accelerator's environment, shared by all files.
    """

    def __init__(self, path: Path, float32: bool, environment: Environment) -> None:
        options = Options(
            hardware_accelerators=HardwareAccelerator.GPU | HardwareAccelerator.CPU,
            cpu_options=CpuOptions(num_threads=1),
            gpu_options=GpuOptions(enforce_f32=float32),
        )
        start = time.perf_counter()
        self._model = CompiledModel.from_file(str(path), options=options, environment=environment)
        self.compile_ms = (time.perf_counter() - start) * 1000

    def prepare(self) -> None:
        """Create the buffers of inputs and outputs."""
        model, key = self._model, self._model.get_signature_by_index(0)["key"]
        self._key = key
        self._inputs: dict[str, Details] = model.get_input_tensor_details(key)
        self._outputs: dict[str, Details] = model.get_output_tensor_details(key)
        self._given = {name: model.create_input_buffer_by_name(key, name) for name in self._inputs}
        self._taken = {name: model.create_output_buffer_by_name(key, name) for name in self._outputs}

    def write(self, sample: dict[str, np.ndarray]) -> None:
        """Set the inputs; the arrays are named after the tensors' indexes in the file."""
        for name, detail in self._inputs.items():
            self._given[name].write(np.ascontiguousarray(sample[str(detail["index"])]).reshape(-1))

    def run(self) -> tuple[dict[int, np.ndarray], float]:
        """Run once; return the outputs by index, and the time with reading them in ms."""
        start = time.perf_counter()
        self._model.run_by_name(self._key, self._given, self._taken)
        found = {d["index"]: _read(self._taken[name], d) for name, d in self._outputs.items()}
        return found, (time.perf_counter() - start) * 1000


def _do(folder: Path, number: int, job: JobRecord, environment: Environment) -> dict[str, object]:
    """Compile a file, and run it on the samples if there are some."""
    path = folder / f"{number}.tflite"
    model = Loaded(path, job["float32"], environment)
    reply: dict[str, object] = {"compile_ms": model.compile_ms}
    if not (folder / f"{number}.npz").exists():
        return reply
    with np.load(folder / f"{number}.npz") as archive:
        samples = dict(archive)
    model.prepare()
    rows: list[dict[int, np.ndarray]] = []
    times: list[float] = []
    for row in range(len(next(iter(samples.values())))):
        if row and number in job["stateful"]:  # only a new model has a fresh state
            model = Loaded(path, job["float32"], environment)
            model.prepare()
        model.write({name: array[row] for name, array in samples.items()})
        outputs, milliseconds = model.run()
        rows.append(outputs)
        times.append(milliseconds)
    deadline = time.perf_counter() + job["seconds"]
    while time.perf_counter() < deadline:
        times.append(model.run()[1])
    arrays = {index: _encoded(np.stack([row[index] for row in rows])) for index in rows[0]}
    return {**reply, "outputs": arrays, "first_ms": times[0], "times_ms": times[1:]}


def _read(buffer: TensorBuffer, detail: Details) -> np.ndarray:
    values = buffer.read(int(np.prod(detail["shape"], dtype=np.int64)), np.dtype(detail["dtype"]))
    return np.asarray(values).reshape(detail["shape"])


def _encoded(array: np.ndarray) -> dict[str, object]:
    text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "base64": text}


if __name__ == "__main__":
    main(Path(sys.argv[1]))

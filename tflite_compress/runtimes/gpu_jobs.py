"""Compile and run files on LiteRT's GPU accelerator in child processes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from tflite_compress.runtimes.gpu_driver import GpuDriver, driver_environment
from tflite_compress.runtimes.gpu_errors import DRIVER_HINT, WHAT, GpuError, ended_error, refusal_error
from tflite_compress.runtimes.gpu_log import GpuAdapter, GpuLog, read_log
from tflite_compress.runtimes.gpu_probe import PROBE_INPUT, is_float16, probe_file
from tflite_compress.runtimes.isolated import (
    MEMORY_LIMIT_BYTES,
    ChildError,
    EncodedArray,
    decode_array,
    run_child,
)
from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.state import find_state
from tflite_compress.tflite.tensor_specs import read_signature

GpuPrecision = Literal["float16", "float32"]
CHILD = Path(__file__).with_name("gpu_child.py")
MARK = "== file "  # as in gpu_child.py
SECONDS = 300.0
MEMORY_BYTES = MEMORY_LIMIT_BYTES


@dataclass(frozen=True)
class GpuFile:
    """A file to compile, and samples to run it on.

    Attributes:
        content: The ``.tflite``.
        inputs: One raw array per input, shape (samples, ...), in the input's dtype; None to compile only.
    """

    content: bytes
    inputs: Arrays | None = None


@dataclass(frozen=True)
class GpuRun:
    """What the accelerator did with a file.

    Attributes:
        log: Which operators it takes.
        compile_ms: Time to compile.
        outputs: One raw array per output, shape (samples, ...); None if the file was compiled only.
        times_ms: Times of the runs after the first one, which also compiles the GPU's programs.
    """

    log: GpuLog
    compile_ms: float
    outputs: Arrays | None
    times_ms: tuple[float, ...]

    @property
    def adapter(self) -> GpuAdapter:
        """The adapter that computed."""
        assert self.log.adapter is not None, "a file without an adapter is an error"
        return self.log.adapter


class _Job(msgspec.Struct):
    """What the child is asked to do.

    Attributes:
        first: Number of the first file.
        files: Number of files; file N is ``N.tflite``, its samples are in ``N.npz``.
        float32: Compute in float32 instead of float16.
        seconds: Time to measure latency per file.
        stateful: Numbers of the files that keep a state: each sample needs a fresh one.
    """

    first: int
    files: int
    float32: bool
    seconds: float
    stateful: tuple[int, ...]


class _Reply(msgspec.Struct):
    """One line of the child; ``error`` is set if the file failed."""

    file: int
    error: str | None = None
    compile_ms: float = 0.0
    first_ms: float = 0.0
    times_ms: tuple[float, ...] = ()
    outputs: dict[int, EncodedArray] | None = None


def run_on_gpu(
    files: Sequence[GpuFile],
    precision: GpuPrecision = "float16",
    driver: GpuDriver = "software",
    seconds: float = 0.0,
    limit_seconds: float = SECONDS,
) -> list[GpuRun | GpuError]:
    """Compile files, and run those with samples.

    All files are done in one child process. If it ends, another one goes on behind the file that ended it.

    Args:
        files: The files.
        precision: ``float16`` as on a phone, or ``float32``.
        driver: ``software``, or ``device`` for the machine's own GPU.
        seconds: Time to measure latency per file.
        limit_seconds: Maximum time of a child process.

    Returns:
        One result per file, in their order; the error where a file could not be compiled or run.

    Raises:
        UsageError: The accelerator is missing, or the driver is not set up.
        GpuError: The machine has no GPU of its own, or its driver has no float16.
    """
    environment = driver_environment(driver)
    probes = [GpuFile(probe_file(), (PROBE_INPUT,))] if driver == "device" else []
    found = _run_all([*probes, *files], environment, precision, seconds, limit_seconds)
    if probes and files:
        _require_gpu(found[0], precision)
    return found[len(probes) :]


def _run_all(
    files: Sequence[GpuFile],
    environment: dict[str, str],
    precision: GpuPrecision,
    seconds: float,
    limit_seconds: float,
) -> list[GpuRun | GpuError]:
    found: list[GpuRun | GpuError] = []
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as name:
        folder = Path(name)
        for number, file in enumerate(files):
            _write_file(folder, number, file)
        stateful = tuple(n for n, file in enumerate(files) if _keeps_state(file))
        while len(found) < len(files):
            job = _Job(len(found), len(files), precision == "float32", seconds, stateful)
            (folder / "job.json").write_bytes(msgspec.json.encode(job))
            found += _run_child(folder, environment, files[len(found) :], len(found), limit_seconds)
    adapter = next((run.log.adapter for run in found if isinstance(run, GpuRun)), None)
    return [_with_adapter(run, adapter) for run in found]


def _require_gpu(probe: GpuRun | GpuError, precision: GpuPrecision) -> None:
    """Check what the machine's own GPU did with the probe."""
    if isinstance(probe, GpuError):
        raise probe
    name, log = probe.adapter.name, probe.log.text
    if probe.adapter.is_software:
        raise GpuError(f"this machine's Vulkan driver is {name}, not a GPU", DRIVER_HINT, "driver", log)
    if precision == "float16" and not (probe.outputs and is_float16(probe.outputs[0])):
        hint = "Leave --gpu out to use the software driver, or use the runtime litert-gpu-f32."
        raise GpuError(f"the driver of {name} has no float16", hint, "driver", log)


def run_one_on_gpu(
    content: bytes,
    inputs: Arrays | None = None,
    precision: GpuPrecision = "float16",
    driver: GpuDriver = "software",
    seconds: float = 0.0,
    limit_seconds: float = SECONDS,
) -> GpuRun:
    """Compile one file, and run it if there are samples; see :func:`run_on_gpu`.

    Raises:
        GpuError: The accelerator refuses the file, crashes, or takes too long.
        UsageError: The accelerator is missing, or the driver is not set up.
    """
    (found,) = run_on_gpu([GpuFile(content, inputs)], precision, driver, seconds, limit_seconds)
    if isinstance(found, GpuError):
        raise found
    return found


def _keeps_state(file: GpuFile) -> bool:
    return file.inputs is not None and find_state(read_tree(file.content)).may_exist


def _write_file(folder: Path, number: int, file: GpuFile) -> None:
    (folder / f"{number}.tflite").write_bytes(file.content)
    if file.inputs is not None:
        specs = read_signature(file.content).inputs
        arrays = {str(spec.tensor): x for spec, x in zip(specs, file.inputs, strict=True)}
        np.savez(folder / f"{number}.npz", **arrays)  # type: ignore[arg-type]


def _run_child(
    folder: Path, environment: dict[str, str], files: Sequence[GpuFile], first: int, limit: float
) -> list[GpuRun | GpuError]:
    """Run the child; return the results of the files it reached, the one that ended it last."""
    command = [sys.executable, str(CHILD), str(folder)]
    failure: ChildError | None = None
    try:
        done = run_child(command, WHAT, seconds=limit, environment=environment, memory_bytes=MEMORY_BYTES)
        output, errors = done.stdout, done.stderr
    except ChildError as error:
        failure, output, errors = error, error.output, error.log
    preamble, *logs = errors.split(MARK)
    logs = [preamble + log.partition("\n")[2] for log in logs]
    replies = _read_replies(output)
    found: list[GpuRun | GpuError] = []
    for file, reply, log in zip(files, replies, logs, strict=False):
        found.append(_result(file, reply, log))
    if len(found) < len(files):
        log = logs[len(found)] if len(found) < len(logs) else errors
        found.append(ended_error(failure, log))
    return found


def _read_replies(output: str) -> list[_Reply]:
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return [msgspec.json.decode(line, type=_Reply) for line in lines]


def _result(file: GpuFile, reply: _Reply, log: str) -> GpuRun | GpuError:
    if reply.error is not None:
        return refusal_error(file.content, reply.error, log)
    outputs = None
    if reply.outputs is not None:
        specs = read_signature(file.content).outputs
        outputs = tuple(decode_array(reply.outputs[spec.tensor]) for spec in specs)
    return GpuRun(read_log(log), reply.compile_ms, outputs, reply.times_ms)


def _with_adapter(run: GpuRun | GpuError, adapter: GpuAdapter | None) -> GpuRun | GpuError:
    """Add the adapter, which the log names only once per process."""
    if isinstance(run, GpuError) or run.log.adapter is not None:
        return run
    return replace(run, log=replace(run.log, adapter=adapter))

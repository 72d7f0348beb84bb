"""Run interpreters in a child process with limits, because native code may crash on a damaged file."""

from __future__ import annotations

import base64
import contextlib
import contextvars
import io
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.support.child_process import limit_child
from tflite_compress.support.errors import ModelError, TimeUsedError
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.state import find_state

RUNNER = Path(__file__).with_name("runner.py")
TIME_LIMIT_S = 300
MEMORY_LIMIT_BYTES = 16 << 30  # address space; interpreters map far more than they use
MORE_MEMORY_HINT = (
    "Raise the limit of this process's memory, for example 'ulimit -v unlimited', or free memory."
)
_BUDGET = contextvars.ContextVar("budget", default=NO_BUDGET)


@contextlib.contextmanager
def children_within(budget: TimeBudget) -> Iterator[None]:
    """Stop child processes that still run when a time budget is used.

    Those that start in this context raise :class:`TimeUsedError` then. A thread needs a copy of the context.
    """
    token = _BUDGET.set(budget)
    try:
        yield
    finally:
        _BUDGET.reset(token)


def seconds_for_child(limit: float = TIME_LIMIT_S) -> float:
    """Return how long a child process may run: its limit, or what the time budget leaves if that is less."""
    return min(limit, _BUDGET.get().left)


def time_used(what: str) -> TimeUsedError | None:
    """Return the error for a child process that the time budget has stopped; None if time is left.

    Args:
        what: Name of the runtime.
    """
    budget = _BUDGET.get()
    if not budget.is_used:
        return None
    budget.cut(f"{what} did not finish")
    return TimeUsedError(
        f"{what} did not finish: the time budget of {budget.seconds:g} s was used", "Give it more time."
    )


class ChildError(ModelError):
    """A child process that ended before it answered.

    Args:
        message: What happened.
        hint: What to do about it.
        cause: ``crash`` if a signal ended it, ``memory`` if one did and its memory was limited to less than
            files need, ``time`` if it took too long.
        output: What it printed to standard output.
        log: What it printed to standard error.
    """

    def __init__(
        self, message: str, hint: str, cause: Literal["crash", "memory", "time"], output: str, log: str
    ) -> None:
        super().__init__(message, hint)
        self.cause = cause
        self.output = output
        self.log = log


@contextlib.contextmanager
def job_folder(content: bytes, inputs: Arrays) -> Iterator[Path]:
    """Create a temporary folder with ``model.tflite`` and ``inputs.npz``."""
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(content)
        (folder / "inputs.npz").write_bytes(pack_inputs(inputs))
        yield folder


def pack_inputs(inputs: Arrays) -> bytes:
    """Return the inputs as the runner's ``.npz``: ``input_0``, ``input_1``, ..., shape (samples, ...)."""
    stream = io.BytesIO()
    np.savez(stream, **{f"input_{i}": x for i, x in enumerate(inputs)})  # type: ignore[arg-type]
    return stream.getvalue()


def sequence_flags(content: bytes) -> list[str]:
    """Return the runner's options for a file: models that may keep a state also run a sequence."""
    return ["--sequence"] if may_keep_state(content) else []


def may_keep_state(content: bytes) -> bool:
    """Return True for a file that may keep a state between calls."""
    return find_state(read_tree(content)).may_exist


def run_child(
    command: Sequence[str],
    what: str,
    *,
    seconds: float = TIME_LIMIT_S,
    environment: dict[str, str] | None = None,
    limit_memory: bool = True,
    memory_bytes: int = MEMORY_LIMIT_BYTES,
) -> subprocess.CompletedProcess[str]:
    """Run a command that reads a model, with a limit on time and memory.

    Args:
        command: Program and arguments.
        what: Name of the runtime, for messages.
        seconds: Maximum time.
        environment: Environment variables; this process's by default.
        limit_memory: False for emulators, which map more address space than they use.
        memory_bytes: Maximum address space.

    Returns:
        The finished process with exit code, output and errors.

    Raises:
        ChildError: The command crashed or took too long.
        TimeUsedError: It still ran when the time budget was used.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
    ) as process:
        limit = memory_bytes
        if limit_memory:
            limit = limit_child(process.pid, memory_bytes)
        try:
            output, errors = process.communicate(timeout=seconds_for_child(seconds))
        except subprocess.TimeoutExpired as error:
            process.kill()
            output, log = process.communicate()
            if used := time_used(what):
                raise used from error
            text = f"{what} did not finish in {seconds:g} s"
            raise ChildError(text, "The model is too large or broken.", "time", output, log) from error
        finally:
            process.kill()  # where it still runs: the user pressed Ctrl-C
    code = process.returncode
    if code < 0 or code in (134, 135, 136, 139):
        name = _signal_name(-code if code < 0 else code - 128)
        raise _crash(what, name, memory_bytes, limit, output, errors)
    return subprocess.CompletedProcess(command, code, output, errors)


def _crash(what: str, signal_name: str, wanted: int, limit: int, output: str, log: str) -> ChildError:
    """Return the error for a child that a signal ended. Native code that gets no memory often crashes.

    Args:
        what: Name of the runtime.
        signal_name: The signal.
        wanted: The address space that the child was to have, in bytes.
        limit: The address space that it had; less if this process is limited itself.
        output: What it printed to standard output.
        log: What it printed to standard error.
    """
    text = f"{what} crashes on the model ({signal_name})"
    if limit >= MEMORY_LIMIT_BYTES:
        hint = "The file is damaged, or beyond what it supports."
        return ChildError(text, hint, "crash", output, log)
    text = f"{text}; its memory was limited to {limit >> 20:,} MB"
    hint = "The model needs more memory than that, or the file is damaged."
    if limit < wanted:
        hint = f"{MORE_MEMORY_HINT} If it crashes then too, the file is damaged."
    return ChildError(text, hint, "memory", output, log)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class EncodedArray(msgspec.Struct):
    """An array in a child's JSON.

    Attributes:
        dtype: NumPy's string for the dtype (``<f4``).
        shape: Its shape.
        base64: Its bytes in C order.
    """

    dtype: str
    shape: tuple[int, ...]
    base64: str


def decode_arrays(entries: Sequence[EncodedArray]) -> Arrays:
    """Decode arrays of a child's JSON.

    Raises:
        ValueError: Bytes do not match dtype and shape.
    """
    return tuple(decode_array(entry) for entry in entries)


def decode_array(entry: EncodedArray) -> np.ndarray:
    """Decode an array of a child's JSON.

    Raises:
        ValueError: The bytes do not match dtype and shape.
    """
    raw = base64.b64decode(entry.base64, validate=True)
    return np.frombuffer(raw, np.dtype(entry.dtype)).reshape(entry.shape)


def last_line(text: str) -> str:
    """Return the last line that is not empty, at most 300 characters; an empty string if there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""

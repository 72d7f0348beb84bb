"""Running interpreters in a child process with limits, because native code may crash on a bad file."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.support.child_process import limit_child
from tflite_compress.support.errors import ModelError

RUNNER = Path(__file__).with_name("runner.py")
TIME_LIMIT_S = 300
MEMORY_LIMIT_BYTES = 16 << 30  # address space; interpreters map far more than they use


@contextlib.contextmanager
def job_folder(content: bytes, inputs: Arrays) -> Iterator[Path]:
    """A temporary folder with ``model.tflite`` and ``inputs.npz``."""
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(content)
        (folder / "inputs.npz").write_bytes(pack_inputs(inputs))
        yield folder


def pack_inputs(inputs: Arrays) -> bytes:
    """The inputs as the runner reads them: ``input_0``, ``input_1``, ... in a ``.npz``."""
    stream = io.BytesIO()
    np.savez(stream, **{f"input_{i}": x for i, x in enumerate(inputs)})  # type: ignore[arg-type]
    return stream.getvalue()


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
        what: What runs, for messages.
        seconds: Longest time.
        environment: Environment variables; this process's by default.
        limit_memory: False for emulators, which map more address space than they use.
        memory_bytes: Most address space.

    Returns:
        The finished process with exit code, output and errors.

    Raises:
        ModelError: It crashed or took too long.
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
        if limit_memory:
            limit_child(process.pid, memory_bytes)
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                f"{what} did not finish in {seconds:g} s", "The model is too large or broken."
            ) from error
        finally:
            process.kill()  # where it still runs: it took too long, or the user pressed Ctrl-C
    code = process.returncode
    if code < 0 or code in (134, 135, 136, 139):
        name = _signal_name(-code if code < 0 else code - 128)
        raise ModelError(
            f"{what} crashes on the model ({name})", "The file is damaged, or beyond what it supports."
        )
    return subprocess.CompletedProcess(command, code, output, errors)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def read_runner_reply(
    text: str, complaints: str, what: str, expected: Callable[[str], str] | None = None
) -> tuple[dict[str, Any], Arrays]:
    """Read the runner's JSON.

    Args:
        text: Its standard output; lines before the last are ignored.
        complaints: Its standard error, for the message where there is no JSON.
        what: What ran.
        expected: Turns complaints into a next step.

    Raises:
        ModelError: There is none.
    """
    lines = [line for line in text.splitlines() if line.startswith("{")]
    try:
        reply = json.loads(lines[-1])
        outputs = tuple(decode_array(entry) for entry in reply["outputs"])
    except (IndexError, ValueError, KeyError, TypeError) as error:
        last = last_line(complaints) or "it printed nothing"
        step = expected(complaints) if expected else "Choose another recipe for this model."
        raise ModelError(f"{what} refuses the model: {last}", step) from error
    return reply, outputs


def decode_array(entry: dict[str, Any]) -> np.ndarray:
    """An array from the runner's JSON."""
    raw = base64.b64decode(entry["base64"], validate=True)
    return np.frombuffer(raw, np.dtype(entry["dtype"])).reshape(entry["shape"])


def last_line(text: str) -> str:
    """The last line that says something, shortened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""

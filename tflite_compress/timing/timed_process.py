"""A child process that times models."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar

import msgspec

from tflite_compress.runtimes.isolated import MEMORY_LIMIT_BYTES, last_line, seconds_for_child
from tflite_compress.support.child_process import limit_child
from tflite_compress.support.errors import ModelError, TimeUsedError

WORKER = Path(__file__).with_name("timing_worker.py")
TIME_LIMIT_S = 300.0


@dataclass(frozen=True)
class Loaded:
    """Time and memory of loading a model.

    Attributes:
        load_ms: Time to read the file and allocate tensors.
        first_ms: Time of the first inference, which prepares data for later ones.
        peak_bytes: Peak memory of the process.
        model_bytes: The part of it that the model added to the interpreter's library.
    """

    load_ms: float
    first_ms: float
    peak_bytes: int
    model_bytes: int


class _LoadReply(msgspec.Struct):
    load_ms: float
    first_ms: float
    before_bytes: int
    peak_bytes: int


class _RunReply(msgspec.Struct):
    ns: list[int]


class _RoundsReply(msgspec.Struct):
    ns: list[list[float]]


class _LoopReply(msgspec.Struct):
    ns: int


class _MemoryReply(msgspec.Struct):
    peak_bytes: int


class _ErrorReply(msgspec.Struct):
    error: str | None = None


_Reply = TypeVar("_Reply", bound=msgspec.Struct)
_Command = dict[str, str | int | None]


class RefusalError(ModelError):
    """A runtime refuses a model.

    Args:
        message: The error's message.
        log: The interpreter's own words.
    """

    def __init__(self, message: str, log: str) -> None:
        super().__init__(message)
        self.log = log


class Child:
    """A process that times models. A context manager: leaving it ends the process.

    Args:
        what: Name of the runtime, for messages.
    """

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> Child:
        self._log: IO[bytes] = tempfile.TemporaryFile("w+b")
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        limit_child(self._process.pid, MEMORY_LIMIT_BYTES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def load(
        self, path: str, inputs: str, kernels: str, threads: int, arena_bytes: int, batch: int | None
    ) -> Loaded:
        """Load a model and run it once.

        Args:
            path: The ``.tflite``.
            inputs: A ``.npz`` with ``input_0``, ``input_1``, ... of shape (samples, ...).
            kernels: ``xnnpack``, ``no-delegate``, ``reference`` or ``tflm``.
            threads: CPU threads.
            arena_bytes: Size of TFLite Micro's tensor arena.
            batch: Samples per run; None for the file's own batch.

        Raises:
            ModelError: The runtime refuses the model, crashes on it, or takes too long.
            TimeUsedError: It did not answer before the time budget was used.
        """
        job: _Command = {"do": "load", "path": path, "inputs": inputs, "kernels": kernels}
        job |= {"threads": threads, "arena_bytes": arena_bytes, "batch": batch}
        found = self._ask(job, _LoadReply)
        added = max(0, found.peak_bytes - found.before_bytes)
        return Loaded(found.load_ms, found.first_ms, found.peak_bytes, added)

    def run(self, runs: int) -> list[float]:
        """Time single runs of the model loaded last; one time in ms per run."""
        return [ns / 1e6 for ns in self._ask({"do": "run", "runs": runs}, _RunReply).ns]

    def run_interleaved(self, runs: int, rounds: int) -> list[list[float]]:
        """Time all loaded models, interleaved.

        Args:
            runs: Runs per model and round.
            rounds: Number of rounds.

        Returns:
            The median time in ms of each model in each round, shape (rounds, models).
        """
        rows = self._ask({"do": "interleave", "runs": runs, "rounds": rounds}, _RoundsReply).ns
        return [[ns / 1e6 for ns in row] for row in rows]

    def loop(self, runs: int) -> float:
        """Return the mean time in ms per run of a loop without a clock in it."""
        return float(self._ask({"do": "loop", "runs": runs}, _LoopReply).ns) / 1e6 / runs

    def is_alive(self) -> bool:
        """Return False if the process has ended, as after a crash."""
        return self._process.poll() is None

    def peak_bytes(self) -> int:
        """Return the peak memory of the process so far."""
        return self._ask({"do": "memory"}, _MemoryReply).peak_bytes

    def _ask(self, job: _Command, reply: type[_Reply]) -> _Reply:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise self._crashed()
        try:
            stdin.write(msgspec.json.encode(job) + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._crashed() from None
        ready, _, _ = select.select([stdout], [], [], seconds_for_child(TIME_LIMIT_S))
        if not ready:
            if seconds_for_child() == 0:
                raise TimeUsedError(
                    f"{self.what} did not answer before the time budget was used", "Give it more time."
                )
            raise ModelError(f"{self.what} did not answer in {TIME_LIMIT_S:g} s", "Use a smaller model.")
        line = stdout.readline()
        if not line:
            raise self._crashed()
        error = msgspec.json.decode(line, type=_ErrorReply).error
        if error is not None:
            raise RefusalError(f"{self.what} refuses the model: {error}", error)
        return msgspec.json.decode(line, type=reply)

    def read_log(self) -> str:
        """Return what the process printed to standard error so far."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def _crashed(self) -> ModelError:
        self._process.wait()
        said = last_line(self.read_log())
        return ModelError(
            f"{self.what} crashes on the model (exit code {self._process.returncode}) {said}".rstrip(),
            "Convert the model again, or use another runtime.",
        )

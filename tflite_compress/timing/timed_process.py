"""One process with one model in it, as seen from here."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tflite_compress.runtimes.isolated import MEMORY_LIMIT_BYTES, last_line
from tflite_compress.support.child_process import limit_child
from tflite_compress.support.errors import ModelError

WORKER = Path(__file__).with_name("timing_worker.py")
TIME_LIMIT_S = 300.0


@dataclass(frozen=True)
class Loaded:
    """What loading took.

    Attributes:
        load_ms: Reading the file and allocating tensors.
        first_ms: The first inference, which prepares what later ones reuse.
        peak_bytes: Peak memory of the process.
        model_bytes: What of it the model added to the interpreter's library.
    """

    load_ms: float
    first_ms: float
    peak_bytes: int
    model_bytes: int


@dataclass
class Child:
    """A process to time models in, the one loaded last unless said otherwise; a context manager that ends it.

    Attributes:
        what: Name for messages.
    """

    what: str
    _process: Any = field(default=None, repr=False)
    _log: Any = field(default=None, repr=False)

    def __enter__(self) -> Child:
        self._log = tempfile.TemporaryFile("w+b")
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        limit_child(self._process.pid, MEMORY_LIMIT_BYTES)
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def load(self, **job: Any) -> Loaded:
        """Load a model and run it once.

        Raises:
            ModelError: The runtime refuses it, crashes on it, or takes too long.
        """
        found = self._ask({"do": "load", **job})
        added = max(0, found["peak_bytes"] - found["before_bytes"])
        return Loaded(found["load_ms"], found["first_ms"], found["peak_bytes"], added)

    def run(self, runs: int) -> list[float]:
        """Milliseconds of so many single runs."""
        return [ns / 1e6 for ns in self._ask({"do": "run", "runs": runs})["ns"]]

    def turns(self, runs: int, rounds: int) -> list[list[float]]:
        """Milliseconds of every model loaded, in turns: for each round one median of so many runs each."""
        rows = self._ask({"do": "turns", "runs": runs, "rounds": rounds})["ns"]
        return [[ns / 1e6 for ns in row] for row in rows]

    def loop(self, runs: int) -> float:
        """Milliseconds a run takes in a loop with nothing else in it."""
        return float(self._ask({"do": "loop", "runs": runs})["ns"]) / 1e6 / runs

    def peak_bytes(self) -> int:
        """Peak memory of the process up to now."""
        return int(self._ask({"do": "memory"})["peak_bytes"])

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._crashed() from None
        ready, _, _ = select.select([self._process.stdout], [], [], TIME_LIMIT_S)
        if not ready:
            raise ModelError(f"{self.what} did not answer in {TIME_LIMIT_S:g} s", "The model is too large.")
        line = self._process.stdout.readline()
        if not line:
            raise self._crashed()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ModelError(f"{self.what} refuses the model: {answer['error']}", "Choose another runtime.")
        return answer

    def _crashed(self) -> ModelError:
        self._process.wait()
        self._log.seek(0)
        said = last_line(self._log.read().decode("utf-8", "replace"))
        return ModelError(
            f"{self.what} crashes on the model (exit code {self._process.returncode}) {said}".rstrip(),
            "The file is damaged, or beyond what it supports.",
        )

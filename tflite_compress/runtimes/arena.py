"""Find the smallest tensor arena of a model in a child process.

If the arena is slightly too small, some models crash the interpreter instead of being refused. The search
then continues in a new child.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite_compress.runtimes import micro_child
from tflite_compress.runtimes.isolated import TIME_LIMIT_S, seconds_for_child, time_used
from tflite_compress.runtimes.micro_child import ARENA_STEP
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.flatbuffer import read_tree

LARGEST_ARENA = 1 << 30
# -P: the folder of the file, whose modules have names of other packages, is not searched for imports.
CHILD = (sys.executable, "-P", micro_child.__file__)


@dataclass(frozen=True)
class ArenaSize:
    """An arena that a model can be allocated in.

    Attributes:
        bytes: Its size.
        refused_bytes: The largest size that was refused, if the time budget ended the search; None if the
            arena is the smallest, exact to 16 bytes.
    """

    bytes: int
    refused_bytes: int | None = None


def estimate_arena(content: bytes) -> int:
    """Return an arena size in bytes that is larger than needed: 8 times all tensors, plus a margin."""
    tensors = [t for g in read_tree(content).subgraphs for t in g.tensors]
    elements = sum(int(np.prod([max(1, d) for d in ([] if t.shape is None else t.shape)])) for t in tensors)
    return min(LARGEST_ARENA, 8 * elements + 512 * len(tensors) + (1 << 16))


def find_smallest_arena(content: bytes, roomy_bytes: int) -> ArenaSize | None:
    """Bisect the arena size between 0 and ``roomy_bytes``.

    Args:
        content: A ``.tflite``.
        roomy_bytes: An arena that should be large enough.

    Returns:
        The smallest arena, or the smallest that was tried when the time budget was used; None if the model
        cannot be allocated in ``roomy_bytes``.

    Raises:
        TimeUsedError: The time budget was used before any arena was found.
        ModelError: The search took too long.
    """
    low, high = 0, roomy_bytes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        fits = False
        while high - low > ARENA_STEP or not fits:
            if fits and seconds_for_child() == 0:
                return ArenaSize(high, low)
            for size, fitted in _children_answers(path, low, high, fits):
                low, high = (low, size) if fitted else (max(low, size), high)
                fits = fits or fitted
            if not fits:
                return None
    return ArenaSize(high)


def _children_answers(path: Path, low: int, high: int, fits: bool) -> list[tuple[int, bool]]:
    """Return the sizes one child tried; the size at which it crashed counts as too small.

    If the time budget ends the child, these are the sizes until then.
    """
    command = [*CHILD, "search", str(path), str(low), str(high), str(int(fits))]
    try:
        limit = seconds_for_child()
        output = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit).stdout
        was_stopped = False
    except subprocess.TimeoutExpired as error:
        output, was_stopped = (error.stdout or b"").decode(), True
        used = time_used("the search for the smallest arena")
        if used is None or ("fits" not in output and not fits):
            raise used or ModelError(
                f"no arena was found in {TIME_LIMIT_S} s", "Use a smaller model."
            ) from error
    words = [line.split() for line in output.split("\n") if line.strip()]
    answers = [(int(size), verdict == "fits") for verdict, size in words if verdict != "try"]
    if was_stopped:
        return answers
    if not words:
        return [(high, False)]
    if words[-1][0] == "try":
        answers.append((int(words[-1][1]), False))
    return answers

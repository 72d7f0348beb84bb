"""The child process that runs TFLite Micro, whose interpreter may crash.

It runs as a file and imports NumPy and tflite-micro only: its start takes half as long as that of a module
of the package.

    python micro_child.py run FOLDER ARENA_BYTES SEQUENCE ...     writes the outputs to FOLDER/outputs.npz,
                                                                  for each FOLDER; SEQUENCE is 0 or 1
    python micro_child.py search MODEL.tflite LOW HIGH FITS       prints each arena size and whether it fits
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

import numpy as np

ARENA_STEP = 16  # the arena is aligned to 16 bytes
OUTPUTS = "outputs.npz"  # output_0, ... of each sample from a fresh state; sequence_0, ... as one sequence


class _Interpreter(Protocol):
    def get_output(self, index: int) -> np.ndarray: ...
    def set_input(self, array: np.ndarray, index: int) -> None: ...
    def invoke(self) -> None: ...
    def reset(self) -> None: ...


def run(folder: Path, arena_bytes: int, as_sequence: bool) -> None:
    """Run all samples; print allocations to standard error and write outputs.

    Args:
        folder: Contains ``model.tflite`` and ``inputs.npz``.
        arena_bytes: Size of the arena.
        as_sequence: Also run the samples as one sequence.
    """
    from tflite_micro.python.tflite_micro import runtime

    content = (folder / "model.tflite").read_bytes()
    with np.load(folder / "inputs.npz") as archive:
        inputs = [archive[f"input_{i}"] for i in range(len(archive.files))]
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
    found = {f"output_{i}": y for i, y in enumerate(_run_all(interpreter, inputs, keep_state=False))}
    if as_sequence:
        rows = _run_all(interpreter, inputs, keep_state=True)
        found |= {f"sequence_{i}": y for i, y in enumerate(rows)}
    interpreter.print_allocations()
    np.savez(folder / OUTPUTS, **found)  # type: ignore[arg-type]


def _run_all(interpreter: _Interpreter, inputs: list[np.ndarray], keep_state: bool) -> list[np.ndarray]:
    """Run all samples, each from a fresh state or as one sequence."""
    rows = []
    for index in range(len(inputs[0])):
        if index == 0 or not keep_state:
            interpreter.reset()
        for place, array in enumerate(inputs):
            interpreter.set_input(np.ascontiguousarray(array[index]), place)
        interpreter.invoke()
        rows.append(_outputs(interpreter))
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _outputs(interpreter: _Interpreter) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    while True:  # the interpreter does not report their number
        try:
            found.append(np.array(interpreter.get_output(len(found))))
        except (IndexError, RuntimeError, ValueError):
            return found


def search(path: Path, low: int, high: int, fits: bool) -> None:
    """Bisect the arena size until it is exact; print each size before it is tried, as it may crash.

    Args:
        path: A ``.tflite``.
        low: An arena that is too small, in bytes.
        high: A larger one.
        fits: True if the model is known to fit into ``high``.
    """
    from tflite_micro.python.tflite_micro import runtime

    content = path.read_bytes()
    while high - low > ARENA_STEP or not fits:
        size = high if not fits else max(ARENA_STEP, (low + high) // 2 // ARENA_STEP * ARENA_STEP)
        print("try", size, flush=True)
        try:
            runtime.Interpreter.from_bytes(content, arena_size=size)
        except (RuntimeError, ValueError):
            print("refused", size, flush=True)
            if not fits:
                return
            low = size
        else:
            print("fits", size, flush=True)
            high, fits = size, True


def main(words: list[str]) -> None:
    """Run the command that the module's text describes."""
    if words[0] == "run":
        for folder, arena, as_sequence in zip(*[iter(words[1:])] * 3, strict=True):
            run(Path(folder), int(arena), as_sequence == "1")
    else:
        search(Path(words[1]), int(words[2]), int(words[3]), words[4] == "1")


if __name__ == "__main__":
    main(sys.argv[1:])

"""TFLite Micro as a runtime to ask: outputs, tensor arena, and how the arena divides.

Run as a module it is the child process that does the asking, because the interpreter may crash.
"""

from __future__ import annotations

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tflite_compress.runtimes.arena import estimate_arena, find_smallest_arena
from tflite_compress.runtimes.isolated import decode_array, job_folder, last_line, run_child
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.scratch import find_largest_scratch

ARENA_ROUNDING = 1024


def micro_runtime(content: bytes, inputs: Arrays) -> RunResult:
    """Ask TFLite Micro on this machine.

    Args:
        content: A ``.tflite``.
        inputs: One raw array for each input, shape (samples, ...).

    Returns:
        Outputs, and the arena: measured here (``arena``), its head and tail, and what to reserve on a
        32-bit target with optimized kernels (``arena to reserve``).

    Raises:
        ModelError: It refuses the model, or crashes on it; names what it complains about.
    """
    with ThreadPoolExecutor(1) as pool:  # both wait for child processes, so they wait at the same time
        search = pool.submit(find_smallest_arena, content, estimate_arena(content))
        outputs, log = run_micro(content, inputs)
        smallest = search.result()
    if smallest is None:
        raise ModelError("TFLite Micro does not allocate the model's tensors", "Try a smaller model.")
    name = f"tflite-micro {version('tflite-micro')} (reference kernels)"
    return RunResult(name, outputs, measure_arena(content, smallest, read_allocations(log)))


def run_micro(content: bytes, inputs: Arrays) -> tuple[Arrays, str]:
    """Run a file in a child process, in an arena with room to spare.

    Args:
        content: A ``.tflite``.
        inputs: One raw array for each input in the file's order, shape (samples, ...).

    Returns:
        One raw array for each output, shape (samples, ...), and what the interpreter logged.

    Raises:
        ModelError: It refuses the model, or crashes on it; names what it complains about.
    """
    with job_folder(content, inputs) as folder:
        command = [sys.executable, "-m", __name__, str(folder), str(estimate_arena(content))]
        done = run_child(command, "TFLite Micro", environment={**os.environ, "PYTHONPATH": _search_path()})
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise ModelError(
            f"TFLite Micro refuses the model: {find_complaint(done.stderr)}", "Try --recipe=int8."
        )
    return tuple(decode_array(entry) for entry in json.loads(lines[-1])["outputs"]), done.stderr


def measure_arena(content: bytes, smallest: int, parts: dict[str, int]) -> tuple[Measurement, ...]:
    """Figures of the arena.

    The smallest arena is exact for this 64-bit build. A 32-bit build needs less for its structures, and
    optimized kernels need scratch memory besides: CMSIS-NN's is computed from its documented sizes.
    """
    here = "bisection on the interpreter, 64-bit build, reference kernels"
    scratch = find_largest_scratch(content)
    reserve = -(-(smallest + scratch) // ARENA_ROUNDING) * ARENA_ROUNDING
    costs = [Measurement("arena", smallest, "bytes", "measured", here)]
    costs += [
        Measurement(f"arena {part}", size, "bytes", "measured", f"{what}, reported by the interpreter")
        for part, size, what in (
            ("head", parts.get("head", 0), "activations and scratch"),
            ("tail", parts.get("tail", 0), "structures that stay"),
        )
        if parts
    ]
    how = f"smallest arena plus {scratch:,} bytes of CMSIS-NN scratch, rounded up; 32-bit needs less"
    costs.append(
        Measurement("arena to reserve", reserve, "bytes", "estimated", how, smallest * 0.75, reserve)
    )
    return tuple(costs)


def read_allocations(log: str) -> dict[str, int]:
    """Head and tail bytes in what ``print_allocations`` writes."""
    found = {}
    for part in ("head", "tail"):
        match = re.search(rf"Arena allocation {part} (\d+) bytes", log)
        if match:
            found[part] = int(match.group(1))
    return found


def find_complaint(log: str) -> str:
    """The first thing the interpreter complained about: what follows is its consequence."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    useful = [line for line in lines if "Traceback" not in line and not line.startswith("File ")]
    return useful[0][:300] if useful else last_line(log) or "no reason given"


def _search_path() -> str:
    """This process's module path, so that the child finds the same packages."""
    return os.pathsep.join(path for path in sys.path if path)


def _answer(folder: Path, arena_bytes: int) -> None:
    """The child: run every sample from a fresh state, print outputs, then the allocations."""
    from tflite_micro.python.tflite_micro import runtime

    content = (folder / "model.tflite").read_bytes()
    with np.load(folder / "inputs.npz") as archive:
        inputs = [archive[f"input_{i}"] for i in range(len(archive.files))]
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
    rows = []
    for index in range(len(inputs[0])):
        interpreter.reset()
        for place, array in enumerate(inputs):
            interpreter.set_input(np.ascontiguousarray(array[index]), place)
        interpreter.invoke()
        rows.append(_outputs(interpreter))
    interpreter.print_allocations()
    columns = [np.stack(column) for column in zip(*rows, strict=True)]
    print(json.dumps({"outputs": [_encoded(y) for y in columns]}))


def _outputs(interpreter: Any) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    while True:  # the interpreter does not tell how many there are
        try:
            found.append(np.array(interpreter.get_output(len(found))))
        except (IndexError, RuntimeError, ValueError):
            return found


def _encoded(array: np.ndarray) -> dict[str, Any]:
    import base64

    text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "base64": text}


if __name__ == "__main__":
    _answer(Path(sys.argv[1]), int(sys.argv[2]))

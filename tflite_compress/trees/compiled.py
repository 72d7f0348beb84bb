"""The C code of a forest compiled here: run on every sample, and its size on a microcontroller."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tflite_compress.support.errors import ConversionError
from tflite_compress.trees.c_source import CForest

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror")
ARM = "arm-none-eabi-gcc"
ARM_FLAGS = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "-Os", "-ffunction-sections")
_DRIVER = """#include <stdio.h>
#include "{name}.h"
int main(void) {{
    float x[{features}], out[{outputs}];
    while (fread(x, sizeof x, 1, stdin) == 1) {{
        {name}_predict(x, out);
        fwrite(out, sizeof out, 1, stdout);
    }}
    return 0;
}}
"""


def answers(code: CForest, name: str, x: np.ndarray, outputs: int) -> np.ndarray | None:
    """What the compiled code answers, float32 (samples, outputs); None where there is no C compiler.

    Args:
        code: The C code.
        name: Its prefix.
        x: Samples, float32 (samples, features).
        outputs: Numbers in an answer.

    Raises:
        ConversionError: The compiler refuses the code.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as folder:
        driver = _DRIVER.format(name=name, features=x.shape[1], outputs=outputs)
        paths = _written(Path(folder), {**code.files, "driver.c": driver.encode()})
        program = Path(folder) / "driver"
        sources = [str(p) for p in paths if p.suffix == ".c"]
        _run([compiler, *WARNINGS, "-O2", "-o", str(program), *sources, "-lm"])
        samples = np.ascontiguousarray(x, np.float32).tobytes()
        done = subprocess.run([str(program)], input=samples, capture_output=True, timeout=600)
    return np.frombuffer(done.stdout, np.float32).reshape(len(x), outputs)


def arm_bytes(code: CForest) -> dict[str, int] | None:
    """Bytes of flash and RAM on a Cortex-M4, from the object file; None without its compiler.

    Returns:
        ``flash_bytes``: code and constants, without the C library. ``ram_bytes``: static data; what is on the
        stack comes besides.

    Raises:
        ConversionError: The compiler refuses the code.
    """
    compiler, size = shutil.which(ARM), shutil.which("arm-none-eabi-size")
    if compiler is None or size is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as folder:
        paths = _written(Path(folder), code.files)
        source = next(p for p in paths if p.suffix == ".c")
        made = source.with_suffix(".o")
        _run([compiler, *WARNINGS, *ARM_FLAGS, "-c", "-o", str(made), str(source)])
        text = subprocess.run([size, str(made)], capture_output=True, text=True, check=True).stdout
    code_bytes, data, zeroed = (int(cell) for cell in text.splitlines()[1].split()[:3])
    return {"flash_bytes": code_bytes + data, "ram_bytes": data + zeroed}


def _written(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ConversionError(f"the C compiler refuses the forest's code: {done.stderr.strip()[:200]}")

"""Compile the C code of a forest: run it on samples, and measure its size on a Cortex-M4."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TypedDict

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


class ArmSize(TypedDict):
    """Size of a forest's C code on a Cortex-M4.

    Attributes:
        flash_bytes: Code and constants, without the C library.
        ram_bytes: Static data, without the stack.
    """

    flash_bytes: int
    ram_bytes: int


def run_c_code(code: CForest, name: str, x: np.ndarray, outputs: int) -> np.ndarray | None:
    """Compile a forest's C code and run it on samples.

    Args:
        code: The C code.
        name: Prefix of its functions.
        x: Samples, float32 (samples, features).
        outputs: Values per prediction.

    Returns:
        Predictions, float32 (samples, outputs), or None if no C compiler is installed.

    Raises:
        ConversionError: The compiler rejects the code.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as folder:
        driver = _DRIVER.format(name=name, features=x.shape[1], outputs=outputs)
        paths = _write_files(Path(folder), {**code.files, "driver.c": driver.encode()})
        program = Path(folder) / "driver"
        sources = [str(p) for p in paths if p.suffix == ".c"]
        _run([compiler, *WARNINGS, "-O2", "-o", str(program), *sources, "-lm"])
        samples = np.ascontiguousarray(x, np.float32).tobytes()
        done = subprocess.run([str(program)], input=samples, capture_output=True, timeout=600)
    return np.frombuffer(done.stdout, np.float32).reshape(len(x), outputs)


def measure_arm_size(code: CForest) -> ArmSize | None:
    """Compile a forest's C code for a Cortex-M4 with ``-Os`` and return the size of the object file.

    Returns:
        Bytes of flash and RAM, or None if arm-none-eabi-gcc is not installed.

    Raises:
        ConversionError: The compiler rejects the code.
    """
    compiler, size = shutil.which(ARM), shutil.which("arm-none-eabi-size")
    if compiler is None or size is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as folder:
        paths = _write_files(Path(folder), code.files)
        source = next(p for p in paths if p.suffix == ".c")
        object_file = source.with_suffix(".o")
        _run([compiler, *WARNINGS, *ARM_FLAGS, "-c", "-o", str(object_file), str(source)])
        text = subprocess.run([size, str(object_file)], capture_output=True, text=True, check=True).stdout
    code_bytes, data, zeroed = (int(cell) for cell in text.splitlines()[1].split()[:3])
    return ArmSize(flash_bytes=code_bytes + data, ram_bytes=data + zeroed)


def _write_files(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ConversionError(f"the C compiler rejects the code of the forest: {done.stderr.strip()[:200]}")

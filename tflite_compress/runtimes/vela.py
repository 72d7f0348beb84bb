"""Arm's Vela compiler for Ethos-U NPUs: compiled model, operators on the NPU, cycles and memory.

Vela's cycles and times come from its performance model of the NPU, not from a device. They leave out
operators on the CPU.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tflite_compress.runtimes.by_name import Remote, register_runtime
from tflite_compress.runtimes.isolated import job_folder, last_line, run_child
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime
from tflite_compress.support.errors import ModelError, UsageError
from tflite_compress.support.notes import Note

ACCELERATORS = (
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
    "ethos-u85-128",
    "ethos-u85-256",
    "ethos-u85-512",
    "ethos-u85-1024",
    "ethos-u85-2048",
)


@dataclass(frozen=True)
class Compiled:
    """A model compiled by Vela.

    Attributes:
        content: The compiled ``.tflite``, for the NPU's driver.
        result: Its figures.
        left_to_cpu: Operators that run on the CPU, with Vela's reason.
    """

    content: bytes
    result: RunResult
    left_to_cpu: tuple[str, ...]


def vela_runtime(
    accelerator: str, system_config: str | None = None, memory_mode: str | None = None
) -> Runtime:
    """Return Vela for one NPU as a runtime; it computes no outputs. See :func:`compile_for`."""
    return lambda content, inputs: compile_for(content, accelerator, system_config, memory_mode).result


@register_runtime("vela", "pip install 'tflite-compress[vela]'", "NPU")
def _make(detail: str | None, remote: Remote) -> Runtime:
    return vela_runtime(detail or "ethos-u55-128")


def compile_for(
    content: bytes, accelerator: str, system_config: str | None = None, memory_mode: str | None = None
) -> Compiled:
    """Compile a model for an Ethos-U.

    Args:
        content: A ``.tflite``.
        accelerator: For example ``ethos-u55-256``.
        system_config: A section of Vela's ``vela.ini``; None for Vela's default.
        memory_mode: A memory mode of ``vela.ini``; None for Vela's default.

    Raises:
        UsageError: There is no such NPU, or Vela is not installed.
        ModelError: Vela fails on the model.
    """
    if accelerator not in ACCELERATORS:
        raise UsageError(f"no NPU is called '{accelerator}'", f"Choose one of {', '.join(ACCELERATORS)}.")
    inputs: Arrays = ()
    with job_folder(content, inputs) as folder:
        command = [_vela(), str(folder / "model.tflite"), f"--output-dir={folder / 'out'}"]
        command += [f"--accelerator-config={accelerator}"]
        if system_config:
            command += ["--config=Arm/vela.ini", f"--system-config={system_config}"]
            command += [f"--memory-mode={memory_mode}"] if memory_mode else []
        done = run_child(command, "Vela", limit_memory=False)
        summaries = list((folder / "out").glob("*_summary_*.csv")) if done.returncode == 0 else []
        if not summaries:
            raise ModelError(
                f"Vela does not compile the model: {last_line(done.stderr) or last_line(done.stdout)}",
                "The NPU takes int8 and int16 operators of fixed shapes; try --recipe=int8.",
            )
        compiled = (folder / "out" / "model_vela.tflite").read_bytes()
        row = next(csv.DictReader(summaries[0].read_text().splitlines()))
    text = done.stdout + done.stderr
    return Compiled(compiled, _answer(row, text, compiled, accelerator), list_cpu_operators(text))


def _vela() -> str:
    beside = Path(sys.executable).with_name("vela")
    found = str(beside) if beside.exists() else shutil.which("vela", path=os.environ.get("PATH"))
    if not found:
        raise UsageError("Arm's Vela compiler is not installed", "pip install 'tflite-compress[vela]'")
    return found


def _answer(row: dict[str, str], text: str, compiled: bytes, accelerator: str) -> RunResult:
    from importlib.metadata import version

    name = f"Vela {version('ethos-u-vela')} ({accelerator})"
    clock = float(row["core_clock"]) / 1e6
    how = f"Vela's performance model of {accelerator} at {clock:g} MHz"
    storage = row["weights_storage_area"]
    flash = 1024 * float(row[storage.lower().replace(" ", "_").replace("-", "_") + "_memory_used"])
    costs = [
        Measurement("latency", 1000 * float(row["inference_time"]), "ms", "simulated", how),
        Measurement("cycles", float(row["cycles_total"]), "cycles", "simulated", how),
        Measurement(
            "sram", 1024 * float(row["sram_memory_used"]), "bytes", "simulated", "Vela's memory plan"
        ),
        Measurement(
            "flash", flash, "bytes", "simulated", f"Vela's memory plan: weights and commands, in {storage}"
        ),
        Measurement("file", len(compiled), "bytes", "measured", "the compiled .tflite"),
    ]
    share = read_npu_share(text)
    if share is not None:
        costs.append(Measurement("operators on the NPU", share, "share", "measured", "counted by Vela"))
    notes = tuple(Note("operator-on-cpu", line) for line in list_cpu_operators(text))
    return RunResult(name, None, tuple(costs), notes)


def read_npu_share(text: str) -> float | None:
    """Return the share of operators on the NPU (0 to 1) from Vela's report; None if it is not there."""
    counts = {side: re.search(rf"{side} operators = (\d+)", text) for side in ("CPU", "NPU")}
    if counts["NPU"] is None:
        return None
    npu = int(counts["NPU"].group(1))
    cpu = int(counts["CPU"].group(1)) if counts["CPU"] else 0
    return npu / max(1, npu + cpu)


def list_cpu_operators(text: str) -> tuple[str, ...]:
    """Return the operators that run on the CPU, each with Vela's reason."""
    pattern = r"operator: (\w+), ofm: '([^']*)'\s*Reason: ([^\n]*)"
    found = [f"{op} '{name}' runs on the CPU: {why.strip()}" for op, name, why in re.findall(pattern, text)]
    return tuple(dict.fromkeys(found))

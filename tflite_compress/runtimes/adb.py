"""Latency and memory on an Android phone over adb, with the official ``benchmark_model`` binary.

The user provides the binary (prebuilt: ai.google.dev/edge/litert/models/measurement). Model and binary
are pushed into a new folder in ``/data/local/tmp``, which is removed afterwards.
Source of the output format: tensorflow/lite/tools/benchmark/README.md and recorded logs.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tflite_compress.runtimes.by_name import Remote, register_runtime
from tflite_compress.runtimes.isolated import last_line
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime
from tflite_compress.support.errors import CompressError, UsageError
from tflite_compress.support.notes import Note

Delegate = Literal["cpu", "gpu", "nnapi"]
DELEGATES: tuple[Delegate, ...] = ("cpu", "gpu", "nnapi")
REMOTE = "/data/local/tmp"
ADB_S = 60


@dataclass(frozen=True)
class Timing:
    """The output of ``benchmark_model``: times in ms, memory in bytes, None if it is not printed.

    Attributes:
        init_ms: Time to load and prepare, delegate included.
        first_ms: Time of the first inference.
        mean_ms: Mean time per inference.
        median_ms: Median time per inference (newer binaries only).
        std_ms: Standard deviation.
        runs: Number of timed inferences.
        memory_bytes: Memory added by the model.
        delegated: Number of operators on the delegate, and of all operators.
    """

    init_ms: float
    first_ms: float
    mean_ms: float
    median_ms: float | None
    std_ms: float | None
    runs: int | None
    memory_bytes: float | None
    delegated: tuple[int, int] | None


def adb_runtime(
    binary: str | Path,
    delegate: Delegate = "cpu",
    threads: int = 4,
    serial: str | None = None,
    limit_s: float = 600,
) -> Runtime:
    """Return a phone as a runtime; it computes no outputs.

    Args:
        binary: The official ``benchmark_model`` for the phone's processor.
        delegate: ``cpu``, ``gpu`` or ``nnapi``.
        threads: CPU threads.
        serial: Serial number of the phone, as ``adb devices`` lists it; None if only one is connected.
        limit_s: Maximum time for the run.

    Raises:
        UsageError: There is no such delegate or binary.
    """
    if delegate not in DELEGATES:
        raise UsageError(f"no delegate is called '{delegate}'", f"Choose one of {', '.join(DELEGATES)}.")
    if not Path(binary).is_file():
        raise UsageError(f"{binary}: no such benchmark_model binary", "Download it from the LiteRT site.")

    def run(content: bytes, inputs: Arrays) -> RunResult:
        adb = find_phone(serial)
        log = _run_on_phone(adb, Path(binary), content, delegate, threads, limit_s)
        timing = parse_log(log)
        if timing is None:
            raise CompressError(
                f"the phone did not finish the run: {last_line(log)}",
                "Try another delegate, or run it by hand.",
            )
        return _answer(timing, log, delegate, threads, adb)

    return run


@register_runtime("adb", "adb, an Android phone, and the benchmark_model binary")
def _make(detail: str | None, remote: Remote) -> Runtime:
    if remote.benchmark_model is None:
        raise UsageError("adb needs --benchmark-model=FILE", "Name the official benchmark_model binary.")
    return adb_runtime(remote.benchmark_model, remote.delegate, remote.threads, remote.serial)


def find_phone(serial: str | None) -> list[str]:
    """Return the beginning of an adb command for the phone.

    Raises:
        UsageError: adb is missing.
        CompressError: No phone, several phones, or no access to the phone.
    """
    adb = shutil.which("adb")
    if adb is None:
        raise UsageError("adb is missing", "Install Android's platform tools: apt-get install adb")
    listing = _call([adb, "devices"], ADB_S)
    lines = listing.partition("List of devices attached")[
        2
    ].splitlines()  # adb prints lines before it when it starts its server
    found = dict(line.split()[:2] for line in lines if len(line.split()) >= 2 and line[0] != "*")
    if serial is None and len(found) > 1:
        raise UsageError(f"several phones are connected: {', '.join(found)}", "Name one: --serial=")
    if serial is None and not found:
        raise CompressError("adb finds no phone", "Connect one, with USB debugging on (Developer options).")
    chosen = serial or next(iter(found))
    state = found.get(chosen)
    if state is None:
        raise CompressError(f"adb finds no phone '{chosen}'", f"Connected: {', '.join(found) or 'none'}.")
    if state == "unauthorized":
        raise CompressError(
            f"{chosen} does not trust this computer", "Accept the question on the phone's screen."
        )
    if "permission" in state or state == "no":
        raise CompressError(
            f"{chosen}: no permission for the USB device", "See developer.android.com: udev rules."
        )
    if state != "device":
        raise CompressError(f"{chosen} is {state}", "Reconnect it, or restart adb: adb kill-server")
    return [adb, "-s", chosen]


def build_command(folder: str, delegate: Delegate, threads: int) -> list[str]:
    """Return the command that runs on the phone."""
    flags = {
        "cpu": ["--use_xnnpack=true"],
        "gpu": ["--use_gpu=true", "--gpu_precision_loss_allowed=true"],
        "nnapi": ["--use_nnapi=true"],
    }[delegate]
    return [
        f"{folder}/benchmark_model",
        f"--graph={folder}/model.tflite",
        f"--num_threads={int(threads)}",
        "--warmup_runs=5",
        "--num_runs=50",
        *flags,
    ]


def _run_on_phone(
    adb: Sequence[str], binary: Path, content: bytes, delegate: Delegate, threads: int, limit_s: float
) -> str:
    """Push model and binary, run, remove both, and return the run's log."""
    folder = f"{REMOTE}/tflite-compress-{secrets.token_hex(4)}"
    try:
        _adb(adb, "shell", "mkdir", "-p", folder)
        with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
            file.write(content)
            file.flush()
            _adb(adb, "push", file.name, f"{folder}/model.tflite")
        _adb(adb, "push", str(binary), f"{folder}/benchmark_model")
        _adb(adb, "shell", "chmod", "755", f"{folder}/benchmark_model")
        return _adb(adb, "shell", *build_command(folder, delegate, threads), seconds=limit_s)
    finally:
        with contextlib.suppress(CompressError):
            _adb(adb, "shell", "rm", "-rf", folder)


def _adb(adb: Sequence[str], *arguments: str, seconds: float = ADB_S) -> str:
    return _call([*adb, *arguments], seconds)


def _call(command: Sequence[str], seconds: float) -> str:
    """Run adb, and return its standard output and standard error.

    Raises:
        CompressError: adb failed.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CompressError(
            f"the phone did not answer in {seconds:g} s", "Reconnect it and run it again."
        ) from error
    text = done.stdout + done.stderr
    if done.returncode == 0:
        return text
    reasons = (
        ("device offline", "the phone is offline", "Reconnect it."),
        ("not found", "the phone was disconnected", "Reconnect it and run it again."),
        ("no devices", "the phone was disconnected", "Reconnect it and run it again."),
        ("closed", "the phone was disconnected", "Reconnect it and run it again."),
        ("No space left", "the phone's storage is full", "Free some space on it."),
        ("Permission denied", "the phone does not allow it", f"Check that adb may write to {REMOTE}."),
        ("not executable", "the binary is for another processor", "Use android_aarch64_benchmark_model."),
    )
    for sign, meaning, step in reasons:
        if sign in text:
            raise CompressError(meaning, step)
    raise CompressError(f"adb failed: {last_line(text)}", "Try the same by hand.")


def parse_log(log: str) -> Timing | None:
    """Parse the output of ``benchmark_model``; None if it did not finish."""
    summary = re.search(
        r"Inference timings in us: Init: ([\d.e+]+), First inference: ([\d.e+]+), "
        r"Warmup \(avg\): [\d.e+]+, Inference \(avg\): ([\d.e+]+)",
        log,
    )
    if summary is None:
        return None
    init, first, mean = (float(text) / 1000 for text in summary.groups())
    runs = re.findall(r"count=(\d+) .*?std=([\d.e+]+)(?:.*?median=([\d.e+]+))?", log)
    count, std, median = runs[-1] if runs else ("", "", "")
    memory = re.search(r"(?:Memory footprint delta|Peak memory footprint)[^\n]*overall=([\d.]+)", log)
    taken = re.findall(r"Replacing (\d+) out of (\d+) node\(s\) with delegate", log)
    return Timing(
        init,
        first,
        mean,
        float(median) / 1000 if median else None,
        float(std) / 1000 if std else None,
        int(count) if count else None,
        float(memory.group(1)) * 2**20 if memory else None,
        (sum(int(n) for n, _ in taken), int(taken[0][1])) if taken else None,
    )


def _answer(timing: Timing, log: str, delegate: Delegate, threads: int, adb: Sequence[str]) -> RunResult:
    how = f"benchmark_model on {adb[-1]}, {delegate}, {threads} threads"
    best = timing.mean_ms if timing.median_ms is None else timing.median_ms
    middle = "mean" if timing.median_ms is None else "median"
    costs = [
        Measurement("latency", best, "ms", "measured", f"{middle} of {timing.runs} runs, {how}"),
        Measurement("first inference", timing.first_ms, "ms", "measured", how),
        Measurement("load", timing.init_ms, "ms", "measured", how),
    ]
    if timing.memory_bytes is not None:
        costs.append(Measurement("process memory", timing.memory_bytes, "bytes", "measured", how))
    notes = []
    if timing.delegated:
        taken, all_ = timing.delegated
        costs.append(Measurement("operators delegated", taken / max(1, all_), "share", "measured", how))
        notes.append(Note("operators-delegated", f"{taken} of {all_} operators run on the delegate"))
    if delegate != "cpu" and (
        timing.delegated is None or "will not be executed by the delegate" in log or "Falling back" in log
    ):
        text = f"the {delegate} delegate may have refused the model: the phone's CPU may have run it"
        notes.append(Note("delegate-refused", text, "warning"))
    return RunResult(f"benchmark_model over adb ({delegate})", None, tuple(costs), tuple(notes))

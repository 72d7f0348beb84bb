"""Times that a device printed in the format of ``benchmark --json``, for example an Android bundle's test."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from tflite_compress.runtimes.run_result import Measurement, RunResult
from tflite_compress.support.errors import UsageError
from tflite_compress.timing.benchmark import Benchmark, Refusal
from tflite_compress.timing.remote import DeviceTiming
from tflite_compress.timing.stats import Interval

SCHEMA = 1  # of benchmark --json
MAX_BYTES = 1 << 24
_HINT = "Give what 'benchmark --json' on a device or the test of an Android bundle printed."


class _Median(msgspec.Struct):
    value: float
    low: float
    high: float


class _Timing(msgspec.Struct):
    name: str
    median_ms: _Median
    turns: list[list[Measurement]]
    sha256: str | None = None


class _Refused(msgspec.Struct):
    name: str
    why: str


class _Report(msgspec.Struct):
    """The part of ``benchmark --json`` that devices fill."""

    schema: Literal[1]
    kind: Literal["measured"]
    where: str
    on_device: list[_Timing]
    refused: list[_Refused] = []


def read_device_report(path: str | Path) -> Benchmark:
    """Read times that were measured on a device.

    Args:
        path: A text file; the last line that is a JSON object counts, or the whole file if it is one. Lines
            before it, as of Android's log, are ignored.

    Returns:
        The device's timings, and what it refused.

    Raises:
        UsageError: The file cannot be read, or holds no such times.
    """
    text = _read(Path(path))
    lines = [line for line in text.splitlines() if line.startswith("{") and line.rstrip().endswith("}")]
    try:
        report = msgspec.json.decode(lines[-1] if lines else text[text.index("{") :], type=_Report)
    except (ValueError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path}: holds no times of a device ({error})", _HINT) from error
    if not report.on_device:
        refusals = "; ".join(f"{r.name}: {r.why}" for r in report.refused)
        raise UsageError(f"{path}: holds no times of a device{f' ({refusals})' if refusals else ''}", _HINT)
    timings = tuple(_timing(timing, report.where) for timing in report.on_device)
    return Benchmark(
        report.where, on_device=timings, refused=tuple(Refusal(r.name, r.why) for r in report.refused)
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES:,} bytes", _HINT)
    return content.decode(errors="replace")


def _timing(found: _Timing, where: str) -> DeviceTiming:
    results = tuple(RunResult(where, None, tuple(turn)) for turn in found.turns)
    median = found.median_ms
    return DeviceTiming(found.name, results, Interval(median.value, median.low, median.high), found.sha256)

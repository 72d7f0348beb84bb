"""Print results on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections import all_sections
from tflite_compress.reporting.sections.section_registry import render_sections
from tflite_compress.reporting.wording import accuracy_name, size_change, time_change
from tflite_compress.support.terminal import console, grid

if TYPE_CHECKING:
    from rich.console import Console


WIDE = 130  # columns a table of results needs


def print_results(results: Sequence[Recorded]) -> None:
    """Print one row per device, then the sections of each result that the terminal shows."""
    out = console()
    columns = ("device", "result", "bytes", "size", "accuracy", "ms here", "speed")
    rows = [_result_row(result) for result in results]
    if out.width < WIDE:
        for row in rows:
            out.print("\n".join(f"{name:>8}  {cell}" for name, cell in zip(columns, row, strict=True)) + "\n")
    else:
        table = grid(*columns, right=(2, 3, 4, 5, 6))
        for row in rows:
            table.add_row(*row)
        out.print(table)
    first = results[0].report
    out.print(
        f"accuracy: {_metric(results)} on {first.accuracy.samples:,} samples, LiteRT; size and "
        "latency: compared with the plain float32 .tflite",
        markup=False,
    )
    out.print(f"latency: {first.latency.source}; not the device's", markup=False)
    for result in results:
        _print_sections(out, result)
    peak = results[-1].report.peak_memory_bytes
    if peak is not None:
        out.print(f"peak memory of this run: {peak / 1e9:.1f} GB", markup=False)


def _metric(results: Sequence[Recorded]) -> str:
    """Name the metrics, each with the output that decides where there are several."""
    return "; ".join(dict.fromkeys(accuracy_name(result.report.accuracy) for result in results))


def _result_row(result: Recorded) -> tuple[str, ...]:
    """Return device, verdict, bytes, accuracy and latency, each before and after."""
    r = result.report
    before, after = r.size.baseline.bytes, r.size.result.bytes
    times = r.latency.baseline.median_ms, r.latency.result.median_ms
    return (
        r.device.name,
        f"{r.verdict}: {r.recipe.summary}",
        f"{before:,} → {after:,}",
        size_change(before, after),
        f"{r.accuracy.before:.4f} → {r.accuracy.after:.4f}" if r.accuracy.is_verified else "unknown",
        f"{times[0]:.3g} → {times[1]:.3g}",
        time_change(*times),
    )


def print_json(results: Sequence[Recorded]) -> None:
    """Print the reports as one JSON array."""
    reports = msgspec.json.encode([result.report for result in results])
    print(msgspec.json.format(reports, indent=2).decode())


def _print_sections(out: Console, result: Recorded) -> None:
    device = result.report.device.name
    for text in render_sections(all_sections(), "terminal", result):
        for line in text.splitlines():
            out.print(f"{device}: {line}", markup=False)
    bundle = result.folder / "bundle"
    beside = f"; bundle for the device: {bundle}/README.md" if bundle.is_dir() else ""
    out.print(f"{device}: {result.folder / result.report.file}{beside}", markup=False)

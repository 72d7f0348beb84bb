"""Print results on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tflite_compress.checking.device_verdict import COLORS, mark_of
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.scores import accuracy_change, format_score
from tflite_compress.reporting.sections import all_sections
from tflite_compress.reporting.sections.section_registry import render_sections
from tflite_compress.reporting.wording import size_change
from tflite_compress.support.quantities import format_bytes, format_seconds
from tflite_compress.support.terminal import console, grid, print_wrapped, style

if TYPE_CHECKING:
    from rich.console import Console


def print_results(results: Sequence[Recorded]) -> None:
    """Print the sections of each result that the terminal shows, and an overview if there are several."""
    out = console()
    for result in results:
        _print_result(out, result)
    if len(results) > 1:
        _print_overview(out, results)
    report = results[-1].report
    seconds = format_seconds(sum(report.seconds.values()))
    peak = report.peak_memory_bytes
    memory = "" if peak is None else f", peak memory {format_bytes(peak)}"
    out.print(f"finished in {seconds}{memory}", markup=False)


def _print_result(out: Console, result: Recorded) -> None:
    report = result.report
    title = f"{report.device.title} ({report.device.name}): {report.recipe.summary}"
    out.print(title, style="bold", markup=False)
    for text in render_sections(all_sections(), "terminal", result):
        print_wrapped(out, text)
    bundle = result.folder / "bundle"
    out.print(f"file: {result.folder / report.file}", markup=False, soft_wrap=True)
    if bundle.is_dir():
        out.print(f"bundle: {bundle / 'README.md'}", markup=False, soft_wrap=True)
    page = result.folder / "report.html"
    if page.exists():
        out.print(f"report: {page}", markup=False, soft_wrap=True)
    out.print()


def _print_overview(out: Console, results: Sequence[Recorded]) -> None:
    table = grid("device", "verdict", "file", "size", "accuracy", "change", "recipe", right=(2, 3, 4, 5))
    for result in results:
        report = result.report
        kind, accuracy = report.verdict.kind, report.accuracy
        before, after = report.size.baseline.bytes, report.size.result.bytes
        known = accuracy.is_verified
        table.add_row(
            report.device.name,
            style(f"{mark_of(kind)} {report.verdict.words}", COLORS[kind]),
            format_bytes(after),
            size_change(before, after),
            format_score(accuracy.metric, accuracy.after) if known else "?",
            accuracy_change(accuracy) if known else "?",
            report.recipe.summary,
        )
    out.print(table)


def print_json(results: Sequence[Recorded]) -> None:
    """Print the reports as one JSON array."""
    reports = msgspec.json.encode([result.report for result in results])
    print(msgspec.json.format(reports, indent=2).decode())

"""Verdicts and comparisons on the terminal and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from tflite_compress.checking.device_verdict import COLORS, DeviceVerdict, mark_of
from tflite_compress.checking.verdict import Finding, Subject, Verdict
from tflite_compress.reporting.wording import YES_NO
from tflite_compress.runtimes.compare import Comparison, OutputDifference
from tflite_compress.runtimes.gpu_plan import GpuPlan
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.support.errors import CompressError
from tflite_compress.support.notes import note_record
from tflite_compress.support.quantities import format_value
from tflite_compress.support.terminal import console, grid, print_wrapped, style

if TYPE_CHECKING:
    from rich.text import Text

FIGURES: tuple[Subject, ...] = ("flash", "RAM", "latency")
KINDS = "~ estimated, * simulated, everything else measured on this machine"


def print_verdicts(verdicts: list[Verdict]) -> None:
    """One device in full, or several in a table with the reasons below."""
    out = console()
    if len(verdicts) == 1:
        _print_verdict(verdicts[0])
        return
    table = grid("device", "verdict", "flash", "RAM", "latency", right=(2, 3, 4))
    for verdict in verdicts:
        costs = (short_figure(verdict.measurement(name)) for name in FIGURES)
        table.add_row(verdict.device.name, _verdict_cell(verdict.outcome), *costs)
    out.print(table)
    out.print(KINDS, markup=False)
    for verdict in verdicts:
        outcome = verdict.outcome
        if outcome.kind != "ready":
            print_wrapped(out, f"{verdict.device.name}: {outcome.reason}")
            if outcome.next_step is not None:
                print_wrapped(out, f"  next: {outcome.next_step}")


def _print_verdict(verdict: Verdict) -> None:
    out, outcome = console(), verdict.outcome
    out.print(f"{verdict.device.title} ({verdict.device.name})", style="bold", markup=False)
    print_wrapped(out, f"{mark_of(outcome.kind)} {outcome.words}: {outcome.reason}")
    if outcome.next_step is not None:
        print_wrapped(out, f"next: {outcome.next_step}")
    table = grid("checked", "fits", "found")
    for finding in verdict.findings:
        table.add_row(finding.subject, _mark(finding.fits), finding.text)
    out.print(table)
    hints = {f"{f.subject}: {f.hint}": f.hint for f in verdict.findings if f.hint and f.fits is not True}
    for text, hint in hints.items():
        if hint != outcome.next_step:
            print_wrapped(out, text)


def _verdict_cell(outcome: DeviceVerdict) -> Text:
    return style(f"{mark_of(outcome.kind)} {outcome.words}", COLORS[outcome.kind])


def _mark(fits: bool | None) -> Text:
    return style(YES_NO[fits], {True: "green", False: "red", None: ""}[fits])


def short_figure(cost: Measurement | None) -> str:
    """Return a figure with a mark for its kind, or ``?``."""
    if cost is None:
        return "?"
    mark = {"estimated": "~", "simulated": "*", "measured": ""}[cost.kind]
    return mark + format_value(cost.value, cost.unit)


def print_comparisons(comparisons: list[Comparison]) -> None:
    """Print one row per runtime: whether its outputs are the same, and its measurements."""
    table = grid("runtime", "same", "largest difference", "found")
    for c in comparisons:
        if isinstance(c.result, CompressError):
            table.add_row(c.runtime, _mark(False), "", str(c.result))
            continue
        figures = [f"{found.name}: {found}" for found in c.result.measurements]
        lines = [c.result.runtime, *figures, *(note.text for note in c.result.notes)]
        gaps = "\n".join(_describe_difference(d) for d in c.differences)
        table.add_row(c.runtime, _mark(c.is_same) if c.differences else "", gaps, "\n".join(lines))
    console().print(table)


def _describe_difference(found: OutputDifference) -> str:
    """Return one output's difference with its tolerance, as text."""
    unit = f" {found.unit}" if found.unit else ""
    over = " over the sequence" if found.state == "sequence" else ""
    return (
        f"{found.output}{over}: {found.value:.3g} against {found.baseline},\n"
        f"tolerance {found.tolerance:.3g}{unit} ({found.rule})"
    )


def verdicts_as_json(verdicts: list[Verdict]) -> str:
    """All findings as JSON."""
    return json.dumps([verdict_record(v) for v in verdicts], indent=2)


def verdict_record(verdict: Verdict) -> dict[str, object]:
    """One verdict as plain data."""
    record: dict[str, object] = {
        "device": verdict.device.name,
        "verdict": msgspec.to_builtins(verdict.outcome),
        "fits": verdict.fits,
        "findings": [_record(f) for f in verdict.findings],
    }
    if verdict.gpu is not None:
        record["gpu"] = _gpu_record(verdict.gpu)
    return record


def _gpu_record(plan: GpuPlan) -> dict[str, object]:
    """How GPU and CPU share the operators, as plain data."""
    return {
        "source": plan.source,
        "is_live": plan.is_live,
        "is_whole": plan.is_whole,
        "parts": plan.pieces,
        "crossings": len(plan.crossings),
        "crossing_bytes": plan.crossing_bytes,
        "operators": [
            {"name": op.name, "layer": op.layer, "on_gpu": op.on_gpu, "reason": op.reason}
            for op in plan.operators
        ],
    }


def _record(finding: Finding) -> dict[str, object]:
    record: dict[str, object] = {"subject": finding.subject, "fits": finding.fits, "text": finding.text}
    if finding.hint:
        record["do"] = finding.hint
    if finding.measurement is not None:
        record["cost"] = finding.measurement.as_json()
    return record


def comparisons_as_json(comparisons: list[Comparison]) -> str:
    """All comparisons as JSON."""
    rows = []
    for c in comparisons:
        row: dict[str, object] = {"runtime": c.runtime, "same": c.is_same}
        if isinstance(c.result, CompressError):
            row["error"] = c.result.message
        else:
            row["version"] = c.result.runtime
            row["costs"] = [found.as_json() for found in c.result.measurements]
            row["notes"] = [note_record(note) for note in c.result.notes]
            if c.difference is not None:
                row["against"], row["largest_difference"] = c.difference.baseline, c.difference.value
                row["tolerance"] = c.difference.tolerance
                row["differences"] = [msgspec.to_builtins(d) for d in c.differences]
        rows.append(row)
    return json.dumps(rows, indent=2)

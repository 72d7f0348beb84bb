"""Verdicts and comparisons on the terminal and as JSON."""

from __future__ import annotations

import json

import msgspec

from tflite_compress.checking.verdict import Finding, Verdict
from tflite_compress.runtimes.compare import Comparison, OutputDifference
from tflite_compress.runtimes.gpu_plan import GpuPlan
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.support.errors import CompressError
from tflite_compress.support.notes import note_record
from tflite_compress.support.terminal import console, grid

_MARKS = {True: "[green]yes[/green]", False: "[red]no[/red]", None: "?"}


def print_verdicts(verdicts: list[Verdict]) -> None:
    """One device in full, or several in a table with the reasons below."""
    if len(verdicts) == 1:
        _print_verdict(verdicts[0])
        return
    table = grid("device", "fits", "flash", "RAM", "latency", "because", right=(2, 3, 4))
    for verdict in verdicts:
        stops = [f for f in verdict.findings if f.is_blocking]
        because = f"{stops[0].subject}: {stops[0].text}" if stops else ""
        costs = (
            _short(verdict.measurement("flash")),
            _short(verdict.measurement("RAM")),
            _short(verdict.measurement("latency")),
        )
        table.add_row(verdict.device.name, _MARKS[verdict.fits], *costs, because)
    out = console()
    out.print(table)
    out.print("~ estimated  * simulated  everything else measured on this machine", markup=False)


def _print_verdict(verdict: Verdict) -> None:
    out = console()
    word = "[green]fits[/green]" if verdict.fits else "[red]does not fit[/red]"
    out.print(f"{word} {verdict.device.title} ({verdict.device.name})")
    table = grid("checked", "fits", "found")
    for finding in verdict.findings:
        table.add_row(finding.subject, _MARKS[finding.fits], finding.text)
    out.print(table)
    hints = [f"{f.subject}: {f.hint}" for f in verdict.findings if f.hint and f.fits is not True]
    for hint in dict.fromkeys(hints):
        out.print(hint, markup=False)


def _short(cost: Measurement | None) -> str:
    if cost is None:
        return "?"
    mark = {"estimated": "~", "simulated": "*", "measured": ""}[cost.kind]
    number = f"{cost.value / 1024:,.0f} KB" if cost.unit == "bytes" else f"{cost.value:,.3g} {cost.unit}"
    return mark + number


def print_comparisons(comparisons: list[Comparison]) -> None:
    """Print one row per runtime: whether its outputs are the same, and its measurements."""
    table = grid("runtime", "same", "largest difference", "found")
    for c in comparisons:
        if isinstance(c.result, CompressError):
            table.add_row(c.runtime, _MARKS[False], "", str(c.result))
            continue
        figures = [f"{found.name}: {found}" for found in c.result.measurements]
        lines = [c.result.runtime, *figures, *(note.text for note in c.result.notes)]
        gaps = "\n".join(_describe_difference(d) for d in c.differences)
        table.add_row(c.runtime, _MARKS[c.is_same] if c.differences else "", gaps, "\n".join(lines))
    console().print(table)


def _describe_difference(found: OutputDifference) -> str:
    """Return one output's difference with its tolerance, as text."""
    unit = f" {found.unit}" if found.unit else ""
    over = " over the sequence" if found.state == "sequence" else ""
    return (
        f"{found.output}{over}: {found.value:.3g} against {found.baseline}, "
        f"tolerance {found.tolerance:.3g}{unit} ({found.rule})"
    )


def verdicts_as_json(verdicts: list[Verdict]) -> str:
    """All findings as JSON."""
    return json.dumps([verdict_record(v) for v in verdicts], indent=2)


def verdict_record(verdict: Verdict) -> dict[str, object]:
    """One verdict as plain data."""
    record: dict[str, object] = {
        "device": verdict.device.name,
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

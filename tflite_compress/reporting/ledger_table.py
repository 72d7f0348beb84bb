"""Recorded runs on the terminal and as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tflite_compress.reporting.ledger import Run
from tflite_compress.reporting.scores import change_in_words, format_score
from tflite_compress.support.quantities import format_bytes, format_number, format_seconds
from tflite_compress.support.terminal import console, grid

# Verdicts that versions before 0.3.0 recorded.
_EARLIER = {"passed": "ready", "failed": "accuracy not kept", "unverified": "not established"}
_COMPARED = {
    "model": "model",
    "device": "device",
    "in_short": "done",
    "verdict": "verdict",
    "metric": "metric",
    "accuracy_after": "accuracy",
    "accuracy_drop": "accuracy change",
    "samples": "on samples",
    "bytes_after": "size",
    "latency_ratio": "latency, x the baseline's",
    "seconds": "run time",
    "time": "when (UTC)",
    "file": "file",
}


def print_runs(found: list[Run], path: Path) -> None:
    """Print one run per line, newest first."""
    if not found:
        console().print(f"no such run in {path}", markup=False)
        return
    headings = ("run", "model", "done", "verdict", "accuracy", "change", "size", "latency", "when (UTC)")
    table = grid(*headings, right=(4, 5, 6, 7))
    for run in found:
        f = run.figures
        cells = [_text(c, run) for c in ("accuracy_after", "accuracy_drop", "bytes_after", "latency_ratio")]
        when = str(f["time"])[:16].replace("T", " ")
        table.add_row(
            f"{run.id} {f['device']}", Path(f["model"]).name, f["in_short"], _verdict(f), *cells, when
        )
    console().print(table)


def print_compared(found: list[Run]) -> None:
    """Print runs side by side, one figure per line."""
    table = grid("", *(f"run {run.id}" for run in found), right=tuple(range(1, len(found) + 1)))
    for column, name in _COMPARED.items():
        table.add_row(name, *(_text(column, run) for run in found))
    console().print(table)


def runs_record(found: list[Run]) -> list[dict[str, object]]:
    """Return the runs as plain data, with whole reports."""
    return [{"id": run.id, **run.figures, "report": msgspec.to_builtins(run.report)} for run in found]


def _verdict(figures: Mapping[str, object]) -> str:
    kind = str(figures["verdict"])
    if kind in _EARLIER:
        return "does not fit" if figures["fits"] is False else _EARLIER[kind]
    return kind.replace("-", " ")


def _accuracy(column: str, run: Run) -> str:
    """Return a score or the change of it; without a report, whose metric is unknown, as a plain number."""
    value = float(run.figures[column])
    if run.report is None:
        return format_number(value)
    metric = run.report.accuracy.metric
    return change_in_words(metric, value) if column == "accuracy_drop" else format_score(metric, value)


def _text(column: str, run: Run) -> str:
    figures = run.figures
    value = figures[column]
    if value is None:
        return "?"
    if column == "verdict":
        return _verdict(figures)
    if column == "latency_ratio":
        return f"{value:.2f}x"
    if column in ("accuracy_after", "accuracy_drop"):
        return _accuracy(column, run)
    if column == "bytes_after":
        return format_bytes(value)
    if column == "seconds":
        return format_seconds(value)
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)

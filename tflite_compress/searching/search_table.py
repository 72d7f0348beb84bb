"""A search's result on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tflite_compress.reporting.accuracy_figures import MetricFacts
from tflite_compress.reporting.scores import (
    OUTCOMES,
    change_in_words,
    drop_in_words,
    format_score,
    interval_in_words,
)
from tflite_compress.scoring.intervals import Interval
from tflite_compress.searching.records import FrontPoint, SearchRecord
from tflite_compress.searching.search_result import SearchResult, is_any_finished
from tflite_compress.support.quantities import format_bytes, format_number, format_seconds
from tflite_compress.support.terminal import Grid, console, grid

MARKS = {"none": " (untrained)", "part": " (trained in part)", "full": ""}


def print_search(result: SearchResult) -> None:
    """Print the Pareto front, the chosen point and the paths of the files."""
    out = console()
    record = result.record
    original = record["original"]
    metric = original_metric(record)
    if not is_any_finished(record["trials"]):
        out.print(f"[red]no trial was finished[/red] in {format_seconds(record['seconds'])}", highlight=False)
    elif not result.front:
        out.print(
            f"[red]nothing found[/red] for {record['device']['title']} with an accuracy drop of at most "
            f"{drop_in_words(metric, record['max_drop'])} that keeps the limits, in "
            f"{format_seconds(record['seconds'])}"
        )
    else:
        out.print(_table(result.front, metric))
        out.print(
            f"The float32 original: {format_bytes(original['bytes'])}, {metric.name} "
            f"{format_score(metric, original['accuracy'])} on {original['samples']:,} samples.",
            highlight=False,
        )
    for note in record["notes"]:
        out.print(f"note: {note['text']}", markup=False, highlight=False)
    if result.tflite is not None:
        out.print(
            f"chosen: {_short(result.tflite)}; plot: {_short(result.folder / 'pareto.svg')}", markup=False
        )


def _table(front: Sequence[FrontPoint], metric: MetricFacts) -> Grid:
    """Return one row per point of the front, which has at least one."""
    unit = front[0]["latency_unit"].partition(",")[0].replace("x the float32 baseline on this machine", "x")
    heads = ("", "point", "size", f"latency ({unit})", "RAM", metric.name, "change", "interval", "accuracy")
    table = grid(*heads, "recipe", right=(2, 3, 4, 5, 6, 7))
    for point in front:
        table.add_row(*_row(point, metric))
    return table


def original_metric(record: SearchRecord) -> MetricFacts:
    """Return the metric of a search."""
    original = record["original"]
    return MetricFacts(
        name=original["metric"],
        higher_is_better=original["higher_is_better"],
        is_share=original["is_share"],
    )


def _row(point: FrontPoint, metric: MetricFacts) -> tuple[str, ...]:
    figures = point["figures"]
    ram = format_bytes(figures["ram"]) if "ram" in figures else "?"
    return (
        "*" if point["chosen"] else "",
        point["folder"],
        format_bytes(figures["size"]),
        format_number(figures["latency"]),
        ram,
        format_score(metric, point["accuracy"]),
        change_in_words(metric, point["drop"]),
        _interval(point, metric),
        "?" if point["outcome"] is None else OUTCOMES[point["outcome"]],
        point["in_short"] + MARKS[point["training"]],
    )


def _interval(point: FrontPoint, metric: MetricFacts) -> str:
    """Return the interval of the change; that of the rise for errors."""
    if point["drop_interval"] is None:
        return "?"
    low, high = point["drop_interval"]
    return interval_in_words(
        metric, Interval(-high, -low) if metric.higher_is_better else Interval(low, high)
    )


def _short(path: Path) -> str:
    return path.as_posix()

"""The page of ``search``: the Pareto front, the trials, and how to go on."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import cast
from urllib.parse import quote

from tflite_compress.reporting.facts_page import Card, Cards, Drawing, FactsPage, Lines, Table
from tflite_compress.reporting.figures import MetricFacts
from tflite_compress.reporting.scatter import ScatterPoint, scatter
from tflite_compress.reporting.scores import change_in_words, format_score
from tflite_compress.searching.records import FrontPoint, SearchRecord
from tflite_compress.searching.search_result import SearchResult
from tflite_compress.searching.search_table import MARKS, original_metric
from tflite_compress.support.quantities import format_bytes, format_number, format_seconds, format_value

# Name on the axis, unit of the recorded figure, and what it is divided by on the axis.
_OBJECTIVES: dict[str, tuple[str, str, float]] = {
    "size": ("file, KB", "bytes", 1024),
    "gzip": ("file gzipped, KB", "bytes", 1024),
    "ram": ("RAM, KB", "bytes", 1024),
    "flash": ("flash, KB", "bytes", 1024),
    "macs": ("million MACs", "MACs", 1e6),
    "latency": ("latency", "", 1),
    "drop": ("accuracy drop, points", "points", 0.01),
}


def search_page(found: SearchResult, page: Path) -> FactsPage:
    """Show the Pareto front with the folder of each point.

    Args:
        found: The result.
        page: Where the page is written; its links are relative to it.
    """
    record = found.record
    original, metric = record["original"], original_metric(record)
    score = format_score(metric, original["accuracy"])
    cards = (
        Card("Files on the front", str(len(found.front)), f"of {len(record['trials'])} trials"),
        Card("Float32 original", format_bytes(original["bytes"]), f"{metric.name} {score}"),
        Card("Chosen", found.chosen["in_short"] if found.chosen else "none"),
        Card("Time", format_seconds(record["seconds"])),
    )
    return FactsPage(
        f"Search for {record['device']['title']}",
        f"Minimized: {', '.join(record['minimize'])}. Result: {found.folder}.",
        (
            Cards(cards),
            *_plot(found, page, metric),
            _front(found.front, metric),
            Lines("Notes", tuple(note["text"] for note in record["notes"])),
        ),
    )


def _plot(found: SearchResult, page: Path, metric: MetricFacts) -> tuple[Drawing, ...]:
    names = [*found.record["minimize"], "drop"][:2]
    front = [
        ScatterPoint(
            *_place(point["figures"], names),
            f"{point['in_short']}{MARKS[point['training']]}: {_figures(point, metric)}",
            "chosen" if point["chosen"] else "front",
            _link(found.folder / point["folder"], page),
        )
        for point in found.front
    ]
    points = [*_trials(found.record, names), *front]
    if not points:
        return ()
    labels = [_OBJECTIVES[name][0] for name in names]
    units = {point["latency_unit"] for point in found.front}
    labels = [f"latency, {min(units)}" if word == "latency" and units else word for word in labels]
    svg = scatter(points, labels[0], labels[1], f"Pareto front: {labels[0]} and {labels[1]}")
    caption = (
        "Point at a mark or move to it with the Tab key to read what it is; follow it to open its folder. "
        "Large marks: the Pareto front, the chosen point in green. Small marks: other trials, grey where "
        "accuracy or limits are not kept."
    )
    return (Drawing("Pareto front", svg, caption),)


def _trials(record: SearchRecord, names: list[str]) -> list[ScatterPoint]:
    """Return the last outcome of each trial that is not on the front."""
    shown = {point["trial"] for point in record["front"]}
    found = []
    for trial in record["trials"]:
        if trial["trial"] in shown or not trial["outcomes"]:
            continue
        last = trial["outcomes"][-1]
        place = _place(cast(dict[str, float], last["figures"]), names)
        if all(map(math.isfinite, place)):
            why = trial["ended"] or "unfinished"
            text = f"trial {trial['trial']}: {last['in_short']} ({why})"
            found.append(ScatterPoint(*place, text, "kept" if why == "good" else "bad"))
    return found


def _place(figures: dict[str, float], names: list[str]) -> tuple[float, float]:
    x, y = (figures.get(name, math.inf) / _OBJECTIVES[name][2] for name in names)
    return x, y


def _front(front: list[FrontPoint], metric: MetricFacts) -> Table:
    latency = next((f"latency, {point['latency_unit']}" for point in front), "latency")
    rows = tuple(
        (
            "chosen" if point["chosen"] else "",
            point["folder"],
            point["in_short"] + MARKS[point["training"]],
            format_bytes(point["figures"]["size"]),
            format_number(point["figures"]["latency"]),
            format_bytes(point["figures"]["ram"]) if "ram" in point["figures"] else "?",
            format_score(metric, point["accuracy"]),
            change_in_words(metric, point["drop"]),
        )
        for point in front
    )
    heads = ("choice", "folder", "recipe", "size", latency, "RAM", metric.name, "change")
    return Table("Files on the front", heads, rows, frozenset(range(3, 8)), unbroken=frozenset({0, 1}))


def _figures(point: FrontPoint, metric: MetricFacts) -> str:
    """Return the figures of a point in one line."""
    known = [
        f"{name} {format_value(value, _OBJECTIVES[name][1])}"
        for name, value in point["figures"].items()
        if name not in ("drop", "latency")
    ]
    latency = f"latency {format_number(point['figures']['latency'])} {point['latency_unit']}"
    score = f"{format_score(metric, point['accuracy'])} ({change_in_words(metric, point['drop'])})"
    return ", ".join([*known, latency, f"{metric.name} {score}"])


def _link(folder: Path, page: Path) -> str:
    """Return the URL of a folder, relative to the page."""
    return quote(os.path.relpath(folder.absolute(), page.absolute().parent).replace(os.sep, "/")) + "/"

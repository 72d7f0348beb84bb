"""The page of ``search``: the Pareto front, the trials, and how to go on."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import quote

from tflite_compress.reporting.accuracy_figures import MetricFacts
from tflite_compress.reporting.facts_page import Card, Cards, Drawing, FactsPage, Lines, Table
from tflite_compress.reporting.scores import change_in_words, format_score
from tflite_compress.reporting.trade_off_plot import Place, size_axis, trade_off_plot
from tflite_compress.searching.records import FrontPoint, SearchRecord
from tflite_compress.searching.search_result import SearchResult
from tflite_compress.searching.search_table import MARKS, original_metric
from tflite_compress.support.quantities import format_bytes, format_number, format_seconds, format_value

# Name on the axis and unit of the recorded figure.
_OBJECTIVES: dict[str, tuple[str, str]] = {
    "size": ("file", "bytes"),
    "gzip": ("file gzipped", "bytes"),
    "ram": ("RAM", "bytes"),
    "flash": ("flash", "bytes"),
    "macs": ("MACs", "MACs"),
    "latency": ("latency", ""),
    "drop": ("accuracy drop", "points"),
}


def search_page(found: SearchResult, page: Path) -> FactsPage:
    """Show the Pareto front with the folder of each point.

    Args:
        found: The result.
        page: Where the page is written; its links are relative to it.
    """
    record, trials = found.record, found.record["trials"]
    original, metric = record["original"], original_metric(record)
    score = format_score(metric, original["accuracy"])
    of_trials = f"of {len(trials)} trial{'' if len(trials) == 1 else 's'}"
    cards = (
        Card("Files on the front", str(len(found.front)), of_trials),
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
    places = [*_trials(found.record, names), *_front_places(found, page, metric, names)]
    if not places:
        return ()
    (x_label, x_factor), (y_label, y_factor) = (
        _axis(name, [(place.x, place.y)[n] for place in places], found.front) for n, name in enumerate(names)
    )
    drawn = [replace(place, x=place.x / x_factor, y=place.y / y_factor) for place in places]
    front = sorted((p.x, p.y) for p in drawn if p.kind in ("front", "chosen"))
    title = f"Pareto front: {x_label} and {y_label}"
    caption = (
        "Point at a mark, or move to it with Tab and the arrow keys, to read what it is. Follow it to "
        "open its folder."
    )
    return (Drawing("Pareto front", trade_off_plot(drawn, front, (x_label, y_label), title), caption),)


def _front_places(found: SearchResult, page: Path, metric: MetricFacts, names: list[str]) -> list[Place]:
    return [
        Place(
            *_pair(point["figures"], names),
            "chosen" if point["chosen"] else "front",
            f"{point['in_short']}{MARKS[point['training']]}: {_figures(point, metric)}",
            href=_link(found.folder / point["folder"], page),
        )
        for point in found.front
    ]


def _trials(record: SearchRecord, names: list[str]) -> list[Place]:
    """Return the last outcome of each trial that is not on the front."""
    shown = {point["trial"] for point in record["front"]}
    found = []
    for trial in record["trials"]:
        if trial["trial"] in shown or not trial["outcomes"]:
            continue
        last = trial["outcomes"][-1]
        pair = _pair(cast(dict[str, float], last["figures"]), names)
        if all(map(math.isfinite, pair)):
            why = trial["ended"] or "unfinished"
            text = f"trial {trial['trial']}: {last['in_short']} ({why})"
            found.append(Place(*pair, "kept" if why == "good" else "bad", text))
    return found


def _pair(figures: dict[str, float], names: list[str]) -> tuple[float, float]:
    x, y = (figures.get(name, math.inf) for name in names)
    return x, y


def _axis(name: str, values: list[float], front: list[FrontPoint]) -> tuple[str, float]:
    """Return the label of an axis, and what figures are divided by on it."""
    word, unit = _OBJECTIVES[name]
    if unit == "bytes":
        unit, factor = size_axis(max(values))
        return f"{word}, {unit}", factor
    if name == "latency":
        return ", ".join([word, *sorted({point["latency_unit"] for point in front})]), 1.0
    return (f"{word}, points", 0.01) if name == "drop" else (f"million {word}", 1e6)


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

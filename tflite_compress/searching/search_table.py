"""A search's result on the terminal."""

from __future__ import annotations

from pathlib import Path

from tflite_compress.searching.records import FrontPoint
from tflite_compress.searching.search_result import SearchResult, is_any_finished
from tflite_compress.support.terminal import console, grid

_MARKS = {"none": " (untrained)", "part": " (trained in part)", "full": ""}


def print_search(result: SearchResult) -> None:
    """Print the Pareto front, the chosen point and the paths of the files."""
    out = console()
    record = result.record
    original = record["original"]
    if not is_any_finished(record["trials"]):
        out.print(f"[red]no trial was finished[/red] in {record['seconds']:.0f} s", highlight=False)
    elif not result.front:
        out.print(
            f"[red]nothing found[/red] for {record['device']['title']} with an accuracy drop of at most "
            f"{record['max_drop']:g} that keeps the limits, in {record['seconds']:.0f} s"
        )
    else:
        metric = original["metric"]
        unit = (
            result.front[0]["latency_unit"]
            .partition(",")[0]
            .replace("x the float32 baseline on this machine", "x")
        )
        table = grid(
            "", "point", "bytes", f"latency ({unit})", "RAM", metric, "drop", "recipe", right=(2, 3, 4, 5, 6)
        )
        for point in result.front:
            table.add_row(*_row(point))
        out.print(table)
        out.print(
            f"The float32 original: {original['bytes']:,} bytes, {metric} {original['accuracy']:.4f} "
            f"on {original['samples']:,} samples.",
            highlight=False,
        )
    for note in record["notes"]:
        out.print(f"note: {note['text']}", markup=False, highlight=False)
    if result.tflite is not None:
        out.print(
            f"chosen: {_short(result.tflite)}; plot: {_short(result.folder / 'pareto.svg')}", markup=False
        )


def _row(point: FrontPoint) -> tuple[str, ...]:
    figures = point["figures"]
    ram = f"{figures['ram'] / 1024:,.0f} KB" if "ram" in figures else "?"
    return (
        "*" if point["chosen"] else "",
        point["folder"],
        f"{figures['size']:,.0f}",
        f"{figures['latency']:.3g}",
        ram,
        f"{point['accuracy']:.4f}",
        f"{point['drop']:+.4f}",
        point["in_short"] + _MARKS[point["training"]],
    )


def _short(path: Path) -> str:
    return path.as_posix()

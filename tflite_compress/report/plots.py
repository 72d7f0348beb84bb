"""Plots as SVG, drawn by matplotlib without a display."""

from __future__ import annotations

import io
import math
from typing import Any

_AXES = {
    "size": "file, bytes",
    "gzip": "file gzipped, bytes",
    "latency": "latency",
    "ram": "RAM, bytes",
    "flash": "flash, bytes",
    "macs": "MACs",
    "drop": "accuracy lost",
}
_FIGURE = (7.0, 4.2)  # inches


def pareto_plot(record: dict[str, Any]) -> str:
    """Trials of a search over its first two objectives, with the front; against accuracy if there is one.

    Args:
        record: What ``search.json`` holds.

    Returns:
        The text of an SVG file.
    """
    names = [*record["minimize"], "drop"][:2]
    figure, axes = _figure()
    lasts = [t["outcomes"][-1] for t in record["trials"] if t["outcomes"]]
    for word, marker, color, wanted in (
        ("keeps accuracy and limits", "o", "#4878a8", True),
        ("does not", "x", "#b0b0b0", False),
    ):
        rows = [_pair(o, names) for o in lasts if _good(o, record["max_drop"]) is wanted]
        rows = [row for row in rows if all(map(math.isfinite, row))]
        if rows:
            axes.scatter(*zip(*rows, strict=True), marker=marker, c=color, s=22, label=f"trial that {word}")
    points = [(_pair(point, names), point["chosen"]) for point in record["front"]]
    if points:
        line = sorted(pair for pair, _ in points)
        axes.plot(*zip(*line, strict=True), drawstyle="steps-post", color="#c05020", label="Pareto front")
        best = [pair for pair, is_chosen in points if is_chosen]
        axes.scatter(*zip(*best, strict=True), marker="*", s=160, c="#c05020", zorder=3, label="chosen")
    axes.set_xlabel(_AXES[names[0]])
    axes.set_ylabel(_label(names[1], record))
    if lasts:
        axes.legend(fontsize=8)
    return _svg(figure)


def _label(name: str, record: dict[str, Any]) -> str:
    unit = next((point["latency_unit"] for point in record["front"]), "")
    return f"latency, {unit}" if name == "latency" and unit else _AXES[name]


def _pair(outcome: dict[str, Any], names: list[str]) -> tuple[float, ...]:
    return tuple(outcome["figures"].get(name, math.inf) for name in names)


def _good(outcome: dict[str, Any], max_drop: float) -> bool:
    drop = outcome["drop"]
    return drop is not None and drop <= max_drop and not outcome["misfit"] and not outcome["error"]


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=_FIGURE, layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> str:
    from matplotlib import rc_context

    stream = io.StringIO()
    with rc_context({"svg.hashsalt": "tflite-compress", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()

"""Plots as SVG, drawn by matplotlib without a display."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AXES = {
    "size": "file, bytes",
    "gzip": "file gzipped, bytes",
    "latency": "latency",
    "ram": "RAM, bytes",
    "flash": "flash, bytes",
    "macs": "MACs",
    "drop": "accuracy drop",
}
WIDTH, HEIGHT = 7.0, 4.2  # inches
MAX_DB = 80.0  # more is as good as exact

Record = dict[str, Any]  # a decoded JSON object


def pareto_plot(record: Record) -> str:
    """Trials of a search over its first two objectives, with the front; against accuracy if there is one.

    Args:
        record: The content of ``search.json``.

    Returns:
        The text of an SVG file.
    """
    names = [*record["minimize"], "drop"][:2]
    figure, (axes,) = _figure(1)
    lasts = [t["outcomes"][-1] for t in record["trials"] if t["outcomes"]]
    for word, marker, color, wanted in (
        ("trial that keeps accuracy and limits", "o", "#4878a8", True),
        ("trial that does not", "x", "#b0b0b0", False),
    ):
        rows = [_pair(o, names) for o in lasts if _good(o, record["max_drop"]) is wanted]
        rows = [row for row in rows if all(map(math.isfinite, row))]
        if rows:
            x, y = zip(*rows, strict=True)
            axes.scatter(x, y, marker=marker, c=color, s=22, label=word)
    points = [(_pair(point, names), point["chosen"]) for point in record["front"]]
    if points:
        line = sorted(pair for pair, _ in points)
        axes.plot(*zip(*line, strict=True), drawstyle="steps-post", color="#c05020", label="Pareto front")
        best = [pair for pair, is_chosen in points if is_chosen]
        if best:
            x, y = zip(*best, strict=True)
            axes.scatter(x, y, marker="*", s=160, c="#c05020", zorder=3, label="chosen")
    axes.set_xlabel(_AXES[names[0]])
    axes.set_ylabel(_label(names[1], record))
    if lasts:
        figure.legend(loc="outside upper center", ncols=4, fontsize=8)
    return svg_text(figure)


def diagnosis_plot(found: Record) -> Figure:
    """What quantization does to each layer: signal-to-noise ratio, what it adds itself, share clipped.

    Args:
        found: A diagnosis as plain data.

    Returns:
        The figure; see :func:`svg_text` and :func:`png_bytes`.
    """
    layers = found["layers"]
    worst = {culprit["layer"] for culprit in found["culprits"]}
    figure, axes = _figure(2, height=max(2.5, 0.24 * len(layers) + 1.3))
    places = range(len(layers))
    ratios = [min(layer["snr_db"], MAX_DB) for layer in layers]
    colors = ["#c05020" if layer["name"] in worst else "#4878a8" for layer in layers]
    axes[0].barh(places, ratios, color=colors, height=0.7)
    own = [min(layer["own_snr_db"], MAX_DB) for layer in layers]
    axes[0].plot(own, places, "|", color="#303030", markersize=9, label="if only this output were rounded")
    axes[0].set_yticks(places, [layer["name"] for layer in layers], fontsize=7)
    axes[0].set_xlabel("signal-to-noise ratio, dB (orange: culprits)")
    figure.legend(loc="outside upper center", fontsize=8)
    axes[1].barh(places, [100 * layer["clipped"] for layer in layers], color="#b09020", height=0.7)
    axes[1].set_yticks(places, [""] * len(layers))
    axes[1].set_xlabel("values clipped, %")
    axes[0].invert_yaxis()
    axes[1].invert_yaxis()
    return figure


def _label(name: str, record: Record) -> str:
    unit = next((point["latency_unit"] for point in record["front"]), "")
    return (
        f"latency, {unit}".replace(", ", ",\n").replace(" on ", "\non ")
        if name == "latency" and unit
        else _AXES[name]
    )


def _pair(outcome: Record, names: list[str]) -> tuple[float, ...]:
    return tuple(outcome["figures"].get(name, math.inf) for name in names)


def _good(outcome: Record, max_drop: float) -> bool:
    drop = outcome["drop"]
    return drop is not None and drop <= max_drop and not outcome["violation"] and not outcome["error"]


def _figure(panels: int, height: float = HEIGHT) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = [figure.add_subplot(1, panels, number) for number in range(1, panels + 1)]
    for panel in axes:
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    return figure, axes


def svg_text(figure: Figure) -> str:
    """A figure as the text of an SVG file that is the same each time, with text as text."""
    from matplotlib import rc_context

    stream = io.StringIO()
    with rc_context({"svg.hashsalt": "tflite-compress", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def png_bytes(figure: Figure) -> bytes:
    """Return a figure as the content of a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=150)
    return stream.getvalue()

"""Results as one self-contained HTML page, drawn from ``report.json`` and ``manifest.json`` alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from tflite_compress.reporting.forest_table import forest_agreements, forest_rows
from tflite_compress.reporting.histograms import COMPARED_SAMPLES
from tflite_compress.reporting.markdown import HEADS, VERDICTS, Recorded, comparison_row
from tflite_compress.reporting.page_plots import Point, histogram_plot, pareto, through_passes
from tflite_compress.support.version import tool_version

MAX_ROWS = 25
NO_DIFFERENCE = 0.05
_MARKS = {"passed": "✓", "failed": "✗", "unverified": "?"}


def result_page(found: Recorded) -> str:
    """One result: verdict, cards, plots, layers, operators, fit, images, and how to make it again.

    Args:
        found: A result as it lies on the disk, or is about to.

    Returns:
        HTML that loads nothing from anywhere.
    """
    report = found.report
    details = report.get("details") or {}
    layers = sorted(details.get("layers") or [], key=lambda row: -row["before"])
    times = details.get("operator_times") or {"rows": []}
    worst = [_with_plots(layer) for layer in details.get("worst_layers") or []]
    pictures = details.get("pictures") or []
    return _rendered(
        "result.html",
        title=f"{found.model} for {report['device']['title']}",
        r=report,
        d=details,
        verdict=_verdict(report),
        cards=_cards(report),
        pareto=pareto(_points(report), report["accuracy"]["metric"], _higher_is_better(report)),
        passes=through_passes(report),
        forest=forest_rows(found.report),
        agreements=forest_agreements(found.report),
        layers=_layer_rows(layers[:MAX_ROWS], layers),
        more_layers=len(layers[MAX_ROWS:]),
        rest_before=sum(row["before"] for row in layers[MAX_ROWS:]),
        rest_after=sum(row["after"] for row in layers[MAX_ROWS:]),
        operators=_operator_rows(times)[:MAX_ROWS],
        more_operators=len(times["rows"][MAX_ROWS:]),
        worst=worst,
        worst_samples=min(COMPARED_SAMPLES, report["accuracy"]["samples"]),
        changed=sum(picture["changed"] for picture in pictures),
        versions=found.manifest.get("versions", {}),
        outputs=found.manifest.get("outputs", {}),
    )


def comparison_page(found: Sequence[Recorded]) -> str:
    """Several results side by side.

    Args:
        found: Results as they lie on the disk.
    """
    metrics = {item.report["accuracy"]["metric"] for item in found}
    plot = pareto(_all_points(found), metrics.pop(), _higher_is_better(found[0].report))
    results = [
        {
            "name": f"{item.model} for {item.report['device']['title']}",
            "verdict": _verdict(item.report),
            "notes": item.report["notes"],
            "command": item.report.get("command", ""),
        }
        for item in found
    ]
    return _rendered(
        "compare.html",
        title=f"{len(found)} results side by side",
        pareto=plot if not metrics else "",
        heads=HEADS,
        rows=[comparison_row(item) for item in found],
        results=results,
    )


@functools.cache
def _templates() -> Any:
    from jinja2 import Environment, PackageLoader

    return Environment(
        loader=PackageLoader("tflite_compress.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _rendered(template: str, **values: Any) -> str:
    from markupsafe import Markup

    css = files("tflite_compress.reporting").joinpath("templates/page.css").read_text(encoding="utf-8")
    drawn = {k: Markup(v) if k in ("pareto", "passes") else v for k, v in values.items()}
    return str(_templates().get_template(template).render(css=Markup(css), version=tool_version(), **drawn))


def _verdict(report: dict[str, Any]) -> dict[str, str]:
    """The first words on the page: kept or lost, fits or not."""
    accuracy = report["accuracy"]
    kind = report["verdict"]
    fits = (report.get("fit") or {}).get("fits")
    if fits is False:
        kind = "failed"
    fit = {True: ", and fits", False: ", but does not fit", None: ""}[fits]
    if accuracy["verified"]:
        detail = (
            f"{accuracy['metric']} {accuracy['before']:.4f} → {accuracy['after']:.4f} on "
            f"{accuracy['samples']:,} samples; {accuracy['max_drop']:g} may be lost."
        )
    else:
        detail = "Outputs were compared on random inputs only."
    text = f"{report['recipe']['in_short']} {VERDICTS[report['verdict']]}{fit}."
    return {"kind": kind, "mark": _MARKS[kind], "text": text, "detail": detail}


def _cards(report: dict[str, Any]) -> list[dict[str, str]]:
    size, accuracy, latency = report["size"], report["accuracy"], report["latency"]
    before, after = size["original_float32"], size["result"]
    cards = [
        _card("File", before["bytes"], after["bytes"], "bytes", "as float32 .tflite before"),
        _card("Gzipped", before["gzip_bytes"], after["gzip_bytes"], "bytes", "what a download sends"),
    ]
    if accuracy["verified"]:
        drop = accuracy["drop"]
        cards.append(
            {
                "name": f"Accuracy ({accuracy['metric']})",
                "before": f"{accuracy['before']:.4f}",
                "after": f"{accuracy['after']:.4f}",
                "change": f"{drop:+.4f} lost" if drop > 0 else "nothing lost",
                "kind": "better" if drop <= accuracy["max_drop"] else "worse",
                "note": f"{accuracy['samples']:,} samples",
            }
        )
    times = latency["original_float32"]["median_ms"], latency["result"]["median_ms"]
    cards.append(_card("Latency here", *times, "ms", latency["where"]))
    memory = report.get("memory") or {}
    if memory.get("result") is not None:
        cards.append(_memory_card(memory.get("original_float32"), memory["result"]))
    on_device = report["device_latency"]
    if on_device["kind"] != "unknown":
        spread = f" ({on_device['low']:.3g} to {on_device['high']:.3g})" if "low" in on_device else ""
        note = f"{on_device['kind']}: {on_device['source']}"
        value = f"{on_device['value']:.3g} ms{spread}"
        cards.append(
            {"name": "Latency on the device", "before": "", "after": value, "change": "", "note": note}
        )
    return cards


def _card(name: str, before: float, after: float, unit: str, note: str) -> dict[str, str]:
    """A card of something that should get less."""
    ratio = after / before
    word = "no difference" if unit == "ms" and abs(ratio - 1) < NO_DIFFERENCE else f"{ratio:.2f}x"
    number = "{:,.0f}" if unit == "bytes" else "{:.4g}"
    kind = "" if word == "no difference" else "better" if ratio < 1 else "worse"
    return {
        "name": name,
        "before": number.format(before),
        "after": f"{number.format(after)} {unit}",
        "change": word,
        "kind": kind,
        "note": note,
    }


def _memory_card(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, str]:
    note = f"{after['name']}, {after['kind']}: {after['source']}"
    if before is not None:
        return _card("RAM", before["value"], after["value"], "bytes", note)
    shown = f"{after['value']:,.0f} bytes"
    return {"name": "RAM", "before": "", "after": shown, "change": "", "kind": "", "note": note}


def _points(report: dict[str, Any]) -> list[Point]:
    """The original, the kept file, and files tried and left."""
    size, accuracy = report["size"], report["accuracy"]
    original = Point("float32", size["original_float32"]["bytes"], accuracy["before"], "before")
    kept = Point(report["recipe"]["in_short"], size["result"]["bytes"], accuracy["after"], "after")
    left = []
    for attempt in report["attempts"]:
        last: dict[str, Any] = attempt["passes"][-1] if attempt["passes"] else {}
        if last.get("bytes") is not None and attempt["passes"] != report["passes"]:
            left.append(Point(attempt["in_short"], last["bytes"], last["accuracy_after"], "bad"))
    return [original, *left, kept]


def _all_points(found: Sequence[Recorded]) -> list[Point]:
    originals = {
        (item.report["size"]["original_float32"]["bytes"], item.report["accuracy"]["before"])
        for item in found
    }
    points = [Point("float32", size, score, "before") for size, score in sorted(originals)]
    for number, item in enumerate(found, 1):
        report = item.report
        kind = "after" if report["verdict"] != "failed" else "bad"
        score = report["accuracy"]["after"]
        points.append(Point(str(number), report["size"]["result"]["bytes"], score, kind))
    return points


def _higher_is_better(report: dict[str, Any]) -> bool:
    accuracy = report["accuracy"]
    return bool((accuracy["before"] - accuracy["after"]) * accuracy["drop"] >= 0)


def _layer_rows(rows: Sequence[dict[str, Any]], layers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    most = max((max(row["before"], row["after"]) for row in layers), default=1) or 1
    return [
        {**row, "before_share": 100 * row["before"] / most, "after_share": 100 * row["after"] / most}
        for row in rows
    ]


def _operator_rows(times: dict[str, Any]) -> list[dict[str, Any]]:
    """Operators by time, slowest first; what lies below the noise is called so."""
    slowest = sorted(times["rows"], key=lambda row: -row["ms"])
    total = max(times.get("total_ms", 0), 1e-9)
    return [
        {
            "operator": row["operator"],
            "layer": row["layer"],
            "us": f"{1000 * row['ms']:.2f}" if row["told"] else "below noise",
            "share": f"{100 * row['ms'] / total:.0f} %" if row["told"] else "",
            "width": max(0.0, min(100.0, 100 * row["ms"] / total)) if row["told"] else 0,
            "macs": "" if not row["macs"] else f"{row['macs']:,}",
            "speed": "" if row["gmacs_per_s"] is None else f"{row['gmacs_per_s']:.1f}",
        }
        for row in slowest
    ]


def _with_plots(layer: dict[str, Any]) -> dict[str, Any]:
    from markupsafe import Markup

    name = layer["layer"]
    shown = histogram_plot(layer["activations"], f"activations of {name}", layer["range"])
    weights = layer["weights"] and histogram_plot(layer["weights"], f"weights of {name}")
    return {
        **layer,
        "activations_plot": Markup(shown),
        "weights_plot": Markup(weights) if weights else None,
    }

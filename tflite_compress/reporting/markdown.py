"""Results as Markdown, for a pull request: drawn from ``report.json``, nothing is measured again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tflite_compress.reporting.forest_table import forest_agreements, forest_rows
from tflite_compress.support.errors import UsageError

VERDICTS = {
    "passed": "keeps its accuracy",
    "failed": "loses too much accuracy",
    "unverified": "was not checked for accuracy: no data was given",
}


@dataclass(frozen=True)
class Recorded:
    """A result folder as it lies on the disk.

    Attributes:
        folder: Where.
        report: What its ``report.json`` holds.
        model: File name of the original model.
        manifest: What its ``manifest.json`` holds.
    """

    folder: Path
    report: dict[str, Any]
    model: str
    manifest: dict[str, Any] = field(default_factory=dict)


def read_results(folder: str | Path) -> list[Recorded]:
    """Results in a folder: its own, or one for each device in the folders under it.

    Args:
        folder: What ``compress --out`` or ``search --out`` made.

    Raises:
        UsageError: There is none, or one cannot be read.
    """
    top = Path(folder)
    nested = sorted(p.parent for p in [*top.glob("*/report.json"), *top.glob("points/*/report.json")])
    places = [top] if (top / "report.json").exists() else nested
    if not places:
        raise UsageError(f"{top}: no report.json in it", "Give a folder that compress or search wrote.")
    return [_read(place) for place in places]


def _read(folder: Path) -> Recorded:
    try:
        report, manifest = (
            json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("report", "manifest")
        )
        model = Path(manifest["model"]["path"] or "model").name
        if not report["accuracy"] or not report["size"] or not report["latency"]:
            raise KeyError("a part")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder}: report.json or manifest.json cannot be read ({error})") from error
    return Recorded(folder, report, model, manifest)


def one_in_full(found: Recorded) -> str:
    """One result: verdict, before and after, passes, fit, what to know, and how to repeat it."""
    report = found.report
    fit = report.get("fit") or {}
    fits = {True: ", and fits", False: ", but does not fit", None: ""}[fit.get("fits")]
    title = f"## {found.model} for {report['device']['title']}"
    verdict = f"**{report['recipe']['in_short']}** {VERDICTS[report['verdict']]}{fits}."
    parts = [title, verdict, before_after(report), _passes(report["passes"])]
    if rows := forest_rows(report):
        parts += [table(("forest", "before", "after"), rows)]
        parts += ["\n".join(f"- {safe(line)}" for line in forest_agreements(report))]
    findings = [(f["subject"], _WORDS[f["fits"]], f["text"]) for f in fit.get("findings", [])]
    parts += [table(("checked", "fits", "found"), findings)] if findings else []
    parts += ["\n".join(f"- {safe(note)}" for note in report["notes"])]
    parts += [f"Again: `tflite-compress repeat {found.folder / 'manifest.json'}`"]
    return "\n\n".join(part for part in parts if part) + "\n"


def side_by_side(found: Sequence[Recorded]) -> str:
    """Several results, one a row."""
    return table(HEADS, [comparison_row(item) for item in found]) + "\n"


HEADS = ("result", "device", "done", "verdict", "fits", "accuracy", "lost", "bytes", "latency")


def comparison_row(item: Recorded) -> tuple[str, ...]:
    """One result as cells under :data:`HEADS`."""
    report = item.report
    accuracy, fits = report["accuracy"], (report.get("fit") or {}).get("fits")
    return (
        str(item.folder),
        report["device"]["name"],
        report["recipe"]["in_short"],
        report["verdict"],
        _WORDS[fits],
        f"{accuracy['after']:.4f}",
        f"{accuracy['drop']:+.4f}",
        f"{report['size']['result']['bytes']:,}",
        f"{report['latency']['ratio']:.2f}x",
    )


_WORDS = {True: "yes", False: "no", None: "?"}


def before_after(report: dict[str, Any]) -> str:
    """Accuracy, bytes and latency of the original and of the result, as a table."""
    accuracy, size, latency = report["accuracy"], report["size"], report["latency"]
    before, after = size["original_float32"], size["result"]
    times = latency["original_float32"]["median_ms"], latency["result"]["median_ms"]
    rows = [
        (
            f"{accuracy['metric']} on {accuracy['samples']:,} samples",
            f"{accuracy['before']:.4f}",
            f"{accuracy['after']:.4f}",
            f"{accuracy['drop']:+.4f} lost",
        ),
        ("file, bytes", f"{before['bytes']:,}", f"{after['bytes']:,}", f"{size['ratio']:.2f}x"),
        (
            "gzipped, bytes",
            f"{before['gzip_bytes']:,}",
            f"{after['gzip_bytes']:,}",
            f"{after['gzip_bytes'] / before['gzip_bytes']:.2f}x",
        ),
        ("latency, ms", f"{times[0]:.4g}", f"{times[1]:.4g}", f"{latency['ratio']:.2f}x"),
    ]
    return table(("", "float32", "result", ""), rows) + f"\n\nLatency: {safe(latency['where'])}."


def _passes(passes: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            step["pass"],
            f"{step['accuracy_after']:.4f}",
            f"{step['bytes']:,}" if step["bytes"] is not None else "",
            f"{step['seconds']:.1f}",
        )
        for step in passes
    ]
    return table(("pass", "accuracy after", "bytes", "seconds"), rows) if rows else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its cells as they are."""
    lines = [heads, ["---"] * len(heads), *([safe(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def safe(text: str) -> str:
    """Text that Markdown takes as it is."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

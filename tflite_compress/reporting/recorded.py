"""Read results of earlier runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tflite_compress.reporting.model import Report, decode_report
from tflite_compress.support.errors import UsageError


@dataclass(frozen=True)
class Recorded:
    """A result folder.

    Attributes:
        folder: The folder.
        report: Its report.
        model: File name of the original model.
        manifest: Content of its ``manifest.json``.
    """

    folder: Path
    report: Report
    model: str
    manifest: dict[str, Any] = field(default_factory=dict)


def read_results(folder: str | Path) -> list[Recorded]:
    """Read the results in a folder: its own, or those in the folders below it.

    Args:
        folder: A folder that ``compress`` or ``search`` wrote.

    Raises:
        UsageError: There is no result, or one cannot be read.
    """
    top = Path(folder)
    nested = sorted(p.parent for p in [*top.glob("*/report.json"), *top.glob("points/*/report.json")])
    places = [top] if (top / "report.json").exists() else nested
    if not places:
        raise UsageError(f"{top}: no report.json in it", "Give a folder that compress or search wrote.")
    return [_read(place) for place in places]


def _read(folder: Path) -> Recorded:
    hint = "Run compress again: reports of other versions cannot be read."
    try:
        report = decode_report((folder / "report.json").read_bytes())
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        model = Path(manifest["model"]["path"] or "model").name
    except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        message = f"{folder}: report.json or manifest.json cannot be read ({error})"
        raise UsageError(message, hint) from error
    return Recorded(folder, report, model, manifest)

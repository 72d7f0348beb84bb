"""What a run writes for people, beside its ``report.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tflite_compress.reporting.card import model_card
from tflite_compress.reporting.markdown import Recorded, one_in_full
from tflite_compress.reporting.page import result_page


def written_pages(report: dict[str, Any], manifest: dict[str, Any]) -> dict[str, str]:
    """``report.html``, ``report.md`` for a pull request, and the model card.

    Args:
        report: What ``report.json`` holds.
        manifest: What ``manifest.json`` holds.
    """
    model = Path(str(manifest["model"]["path"] or report["model"]["name"])).name
    found = Recorded(Path(), report, model, manifest)
    return {
        "report.html": result_page(found),
        "report.md": one_in_full(found),
        "MODEL_CARD.md": model_card(found),
    }

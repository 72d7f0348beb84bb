"""Files for people that a run writes beside ``report.json``."""

from __future__ import annotations

from tflite_compress.reporting.card import model_card
from tflite_compress.reporting.markdown import result_markdown
from tflite_compress.reporting.page import result_page
from tflite_compress.reporting.recorded import Recorded


def result_documents(found: Recorded) -> dict[str, str]:
    """Write ``report.html``, ``report.md`` for a pull request, and the model card.

    Args:
        found: The result.

    Returns:
        Contents by file name.
    """
    return {
        "report.html": result_page(found),
        "report.md": result_markdown(found),
        "MODEL_CARD.md": model_card(found),
    }

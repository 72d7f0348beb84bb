"""Sample images with both models' predictions."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register


def to_html(found: Recorded) -> str | None:
    """Render the images, those with changed predictions first."""
    details = found.report.details
    if details is None or not details.pictures:
        return None
    changed = sum(picture.is_changed for picture in details.pictures)
    return render("sections/images.html", pictures=details.pictures, changed=changed)


NO_PICTURES = NotShown("images are shown on the page only")
register(Section("images", 100, to_html, NO_PICTURES, NO_PICTURES))

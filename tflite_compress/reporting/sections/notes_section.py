"""The notes: facts a user should know."""

from __future__ import annotations

from tflite_compress.reporting.html import render
from tflite_compress.reporting.markdown_text import bullets
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import Section, register
from tflite_compress.support.notes import Note


def note_line(note: Note) -> str:
    """Return a note as one line; a warning is marked."""
    return f"warning: {note.text}" if note.severity == "warning" else note.text


def _lines(found: Recorded) -> list[str]:
    return [note_line(note) for note in found.report.notes]


def to_html(found: Recorded) -> str | None:
    """Render a list of notes."""
    return render("sections/notes.html", lines=_lines(found)) if found.report.notes else None


def to_markdown(found: Recorded) -> str | None:
    """Render a list of notes."""
    return f"### Notes\n\n{bullets(_lines(found))}" if found.report.notes else None


def to_terminal(found: Recorded) -> str | None:
    """Render a line for each note."""
    return "\n".join(_lines(found)) or None


register(Section("notes", 40, to_html, to_markdown, to_terminal))

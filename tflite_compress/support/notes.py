"""Notes: facts about a result that a user should know, as values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

import msgspec

Severity = Literal["info", "warning"]


class Note(msgspec.Struct, frozen=True):
    """One fact for the user.

    Attributes:
        code: The kind of note, for example ``operators-stay-float32``. Code branches on it, never
            on ``text``.
        text: The note as one English sentence without a final period.
        severity: ``warning`` where the user should act, else ``info``.
    """

    code: str
    text: str
    severity: Severity = "info"


class NoteRecord(TypedDict):
    """A note as plain data; see :class:`Note`."""

    code: str
    text: str
    severity: Severity


def note_record(note: Note) -> NoteRecord:
    """Return a note as plain data, with all its fields."""
    return {"code": note.code, "text": note.text, "severity": note.severity}


def unique_notes(*groups: tuple[Note, ...]) -> tuple[Note, ...]:
    """Join groups of notes in order and drop repeated ones."""
    return tuple(dict.fromkeys(note for group in groups for note in group))


def named(names: Sequence[str], max_names: int = 3) -> str:
    """Return the first few names, and the number of the others, as text."""
    more = f" and {len(names) - max_names} more" if len(names) > max_names else ""
    return ", ".join(names[:max_names]) + more

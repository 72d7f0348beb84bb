"""Markdown tables and text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table; special characters of its cells are escaped."""
    lines = [heads, ["---"] * len(heads), *([safe(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """Write a list."""
    return "\n".join(f"- {safe(line)}" for line in lines)


def safe(text: str) -> str:
    """Escape text so that Markdown shows it unchanged."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

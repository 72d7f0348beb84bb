"""docs/results.md, section by section: each benchmark rewrites its own and leaves the others."""

from __future__ import annotations

import re
from pathlib import Path

from tflite_compress.support.file_manifest import versions

RESULTS = Path(__file__).parent.parent / "docs" / "results.md"


def measured(dates: list[str]) -> str:
    """Return when rows were measured, in words, from their days."""
    first, last = min(dates), max(dates)
    return f"Measured on {first}." if first == last else f"Measured from {first} to {last}."


def write_section(title: str, lines: list[str]) -> None:
    """Put a section in place of the one of the same title, or at the end, with versions of packages."""
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    body = "\n".join([f"## {title}", "", *lines, "", f"Versions: {used}.", ""])
    text = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    parts = re.split(r"(?m)^(?=## )", text)
    placed = [body if part.startswith(f"## {title}\n") else part for part in parts]
    if body not in placed:
        placed.append(body)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(part.rstrip() + "\n" for part in placed))
    print(body)

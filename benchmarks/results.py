"""docs/results.md, section by section: each benchmark rewrites its own and leaves the others."""

from __future__ import annotations

import re
from pathlib import Path

from tflite_compress.support.file_manifest import versions

RESULTS = Path(__file__).parent.parent / "docs" / "results.md"


def write_section(title: str, lines: list[str]) -> None:
    """Put a section, with the versions it was measured with, in place of the one of the same title."""
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    body = "\n".join([f"## {title}", "", *lines, "", f"Versions: {used}.", ""])
    text = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    parts = re.split(r"(?m)^(?=## )", text)
    kept = [part.rstrip() + "\n" for part in parts if not part.startswith(f"## {title}\n")]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join([*kept, body]))
    print(body)

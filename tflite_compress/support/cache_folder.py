"""The user's folder for files that can be made or fetched again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return this tool's folder in the user's cache, as the XDG Base Directory Specification places it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tflite-compress"

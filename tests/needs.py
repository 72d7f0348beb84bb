"""Tools of the machine that some tests need."""

from __future__ import annotations

import os
import shutil

import pytest


def tool(name: str, package: str, path: str | None = None) -> str:
    """Where a program lies; without it the test is skipped, but in CI it fails."""
    found = shutil.which(name, path=path)
    if found is None:
        message = f"needs {name}: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found

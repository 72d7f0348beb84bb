"""What tests need of the machine: its programs, and time for the longest of them."""

from __future__ import annotations

import os
import shutil

import pytest
from _pytest.mark import ParameterSet


def tool(name: str, package: str, path: str | None = None) -> str:
    """Where a program lies; without it the test is skipped, but in CI it fails."""
    found = shutil.which(name, path=path)
    if found is None:
        message = f"needs {name}: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def slow(*values: object) -> ParameterSet:
    """Values of ``parametrize`` whose test is slow: others test the same code in the fast tests."""
    return pytest.param(*values, marks=pytest.mark.slow)


def marathon_count(whole: int, sample: int) -> int:
    """How often a marathon test repeats what it tries: fewer times where .ci/marathon runs a sample."""
    return sample if os.environ.get("TFLITE_COMPRESS_SAMPLE") else whole

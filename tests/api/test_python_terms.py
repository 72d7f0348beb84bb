from __future__ import annotations

import pytest

from tflite_compress.api.python_terms import in_python


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--eval=x.npz: no such file", 'evaluate="x.npz": no such file'),
        ("--max-flash=1: too small", "max_flash_bytes=1: too small"),
        ("For example --time-budget=5m.", "For example time_budget_seconds=300."),
        ("Run with --no-details.", "Run with details=False."),
        ("Start again with --restart.", "Start again with restart=True."),
        ("Calibrate on more samples: --calibrate=.", "Calibrate on more samples: calibrate."),
        ("Narrow --exclude.", 'Narrow overrides["exclude"].'),
        ("Pass --keep-ends=false.", 'Pass overrides={"keep_ends": False}.'),
        ("For example --prune.epochs=8.", 'For example overrides={"prune.epochs": 8}.'),
        ("Measure it: --ssh=HOST.", "Measure it: --ssh=HOST."),
        ("pip install --no-such-option x", "pip install --no-such-option x"),
        ("a-file--name, x --- y", "a-file--name, x --- y"),
    ],
)
def test_options_become_python_arguments(text: str, expected: str) -> None:
    assert in_python(text) == expected

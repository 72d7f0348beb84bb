"""Checks of whole files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.timing.models import dense
from tflite_compress.checking.check_file import verify_file
from tflite_compress.runtimes.run_result import RunResult


@pytest.mark.parametrize(
    ("seconds", "notes"),
    [
        (None, []),
        (600.0, []),
        (1e-6, ["the time budget of 1e-06 s was used: outputs compared on 1 of 4 samples"]),
    ],
)
def test_verify_runs_as_many_samples_as_the_time_budget_allows(
    tmp_path: Path, seconds: float | None, notes: list[str]
) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense(4))
    (found,) = verify_file(path, ["litert-reference"], samples=4, time_budget_seconds=seconds)
    assert isinstance(found.result, RunResult) and found.is_same
    assert [note.text for note in found.result.notes] == notes
    assert found.result.outputs is not None
    assert len(found.result.outputs[0]) == (1 if notes else 4)

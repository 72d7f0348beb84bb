"""Bundles of whole files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.timing.models import dense
from tflite_compress.bundling.bundle_file import _make_within, bundle_file
from tflite_compress.data.raw import FileData, random_data
from tflite_compress.support.errors import TimeUsedError
from tflite_compress.support.progress import Silent
from tflite_compress.support.time_budget import TimeBudget
from tflite_compress.tflite.tensor_specs import read_signature


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense(4))
    return path


class Said(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_a_time_budget_that_suffices_changes_nothing(file: Path, tmp_path: Path) -> None:
    said = Said()
    for out, seconds in (("a", None), ("b", 600.0)):
        bundle_file(file, "android-cpu", out=tmp_path / out, progress=said, time_budget_seconds=seconds)
    texts = [
        {p.relative_to(tmp_path / out): p.read_bytes() for p in (tmp_path / out).rglob("*") if p.is_file()}
        for out in "ab"
    ]
    assert texts[0] == texts[1] and said.lines == []


def test_one_vector_is_made_where_the_time_does_not_suffice_for_all() -> None:
    budget = TimeBudget(600)

    def make(data: FileData) -> dict[str, bytes]:
        if len(data) > 1:
            raise TimeUsedError("LiteRT did not finish")
        return {"vectors": json.dumps(len(data)).encode()}

    data = random_data(read_signature(dense(4)))
    assert _make_within(budget, data, make) == {"vectors": b"1"}
    assert budget.notes[0].text == "the time budget of 600 s was used: 1 of 8 test vectors made"


def test_a_bundle_without_any_vector_is_not_written(file: Path, tmp_path: Path) -> None:
    with pytest.raises(TimeUsedError, match="LiteRT did not finish: the time budget of 1e-09 s was used"):
        bundle_file(file, "android-cpu", out=tmp_path / "out", time_budget_seconds=1e-9)
    assert not (tmp_path / "out").exists()

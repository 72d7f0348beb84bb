"""What a study remembers of trials that did not end."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from tflite_compress.profiles.devices import load_device
from tflite_compress.searching.explore import _given_up
from tflite_compress.searching.space import Space
from tflite_compress.searching.stages import Candidate, Goal
from tflite_compress.searching.study import MAX_ATTEMPTS, Study


@pytest.fixture
def storage() -> Any:
    return InMemoryStorage()


def opened(storage: Any) -> Study:
    return Study(storage, "study", Goal(("size",), 0.01), "me")


@pytest.fixture
def begun(storage: Any, monkeypatch: pytest.MonkeyPatch) -> Candidate:
    monkeypatch.setattr("tflite_compress.searching.study.suggest", lambda trial, space: {"precision": "int8"})
    study = opened(storage)
    space = Space(load_device("rp2040"), (), (), (), False, False, ("int8",))
    return study.note_attempt(study.ask(space))


def waiting(storage: Any) -> Candidate:
    (found,) = opened(storage).candidates()[1]
    return found


def test_a_search_killed_a_few_times_goes_on(storage: Any, begun: Candidate) -> None:
    for _ in range(5):
        opened(storage).note_attempt(waiting(storage))
    assert waiting(storage).attempts == 6 and not _given_up(opened(storage), waiting(storage))


def test_a_stage_that_never_ends_is_given_up(storage: Any, begun: Candidate) -> None:
    for _ in range(MAX_ATTEMPTS - 1):
        opened(storage).note_attempt(waiting(storage))
    study = opened(storage)
    assert _given_up(study, waiting(storage))
    assert "never ended" in str(study.records()[0]["ended"])


def test_a_stage_that_takes_its_worker_down_twice_is_given_up(storage: Any, begun: Candidate) -> None:
    once = opened(storage).note_crash(begun)
    assert not _given_up(opened(storage), once) and waiting(storage).crashes == 1
    study = opened(storage)
    assert _given_up(study, study.note_crash(waiting(storage)))
    assert study.records()[0]["ended"] == "crashed its worker twice" and study.candidates() == ([], [])

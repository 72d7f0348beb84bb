"""The search for the smallest arena ends with the time budget."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.support.test_time_budget import Clock
from tests.timing.models import dense
from tflite_compress.runtimes.arena import ArenaSize, find_smallest_arena
from tflite_compress.runtimes.isolated import children_within
from tflite_compress.support.errors import ModelError, TimeUsedError
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget


def stop_children(monkeypatch: pytest.MonkeyPatch, clock: Clock, output: bytes) -> None:
    """Let the time of a child end after it has written ``output``."""

    def run(command: list[str], timeout: float, **options: Any) -> None:
        clock.now += timeout
        raise subprocess.TimeoutExpired(command, timeout, output)

    monkeypatch.setattr(subprocess, "run", run)


def test_an_upper_bound_is_kept_when_the_time_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    stop_children(monkeypatch, clock, b"try 64000\nfits 64000\ntry 32000\nrefused 32000\ntry 48000\n")
    with children_within(TimeBudget(10, clock)):
        assert find_smallest_arena(dense(4), 64000) == ArenaSize(64000, refused_bytes=32000)


@pytest.mark.parametrize(
    ("seconds", "error", "message"),
    [
        (10, TimeUsedError, "the search for the smallest arena did not finish: the time budget of 10 s"),
        (None, ModelError, "no arena was found in 300 s"),
    ],
)
def test_without_any_arena_the_search_fails(
    monkeypatch: pytest.MonkeyPatch, seconds: float | None, error: type[Exception], message: str
) -> None:
    clock = Clock()
    stop_children(monkeypatch, clock, b"try 64000\n")
    with (
        children_within(NO_BUDGET if seconds is None else TimeBudget(seconds, clock)),
        pytest.raises(error, match=message),
    ):
        find_smallest_arena(dense(4), 64000)

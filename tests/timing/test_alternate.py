from __future__ import annotations

from typing import Any

from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.paired import MIN_ROUNDS, measure_alternately


class Fake:
    """Notes its turns instead of computing."""

    def __init__(self, name: str, turns: list[str]) -> None:
        self.name, self.turns = name, turns

    def invoke(self) -> None:
        self.turns.append(self.name)


def test_measurements_are_interleaved_in_swapping_order() -> None:
    turns: list[str] = []
    models: list[Any] = [Fake("a", turns), Fake("b", turns)]
    latencies = measure_alternately(models, seconds=0)
    timed = "".join(turns)[-2 * MIN_ROUNDS :]
    assert timed.startswith("abbaabba") and timed.count("a") == timed.count("b") == MIN_ROUNDS
    assert all(0 <= x.median_ms <= x.p90_ms <= x.p99_ms and x.runs == MIN_ROUNDS for x in latencies)


def test_the_machine_has_a_name() -> None:
    assert len(machine_name()) > 8

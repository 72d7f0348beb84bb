from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tflite_compress.searching.search_result import SearchResult, search_notes
from tflite_compress.searching.search_table import print_search
from tflite_compress.support.notes import note_record

TRIAL: dict[str, Any] = {"trial": 0, "state": "running", "ended": None, "values": {}, "outcomes": []}


def printed(capsys: pytest.CaptureFixture[str], trials: list[Any], front: list[Any]) -> str:
    record: Any = {
        "original": {
            "bytes": 4096,
            "accuracy": 0.9,
            "metric": "top1",
            "higher_is_better": True,
            "is_share": True,
            "samples": 100,
        },
        "device": {"title": "a board"},
        "max_drop": 0.01,
        "seconds": 5.2,
        "front": front,
        "trials": trials,
        "notes": [note_record(note) for note in search_notes(trials, front, len(trials))],
    }
    print_search(SearchResult(Path("found"), record))
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("trials", [[], [TRIAL]])
def test_a_budget_that_ends_before_a_trial_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], trials: list[Any]
) -> None:
    out = printed(capsys, trials, [])
    assert out.startswith("no trial was finished in 5.2 s note: the time budget ended before")
    assert "run the same command again with a larger --time-budget" in out and "0 trials" not in out


def test_nothing_found_names_how_trials_ended(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, [{**TRIAL, "ended": "hopeless", "outcomes": [{}]}], [])
    assert out.startswith("nothing found for a board") and "1 trial: 1 hopeless" in out


def test_untrained_points_are_marked(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    point: dict[str, Any] = {
        "trial": 0, "folder": "points/01", "file": "m.tflite", "recipe": "r",
        "figures": {"size": 12_345, "latency": 1.2345, "ram": 4_321},
        "latency_unit": "ms", "accuracy": 0.89123, "drop": 0.0123, "chosen": False,
        "outcome": "not-established", "drop_interval": (-0.004, 0.03),
    }  # fmt: skip
    trained = (("a", "none"), ("b", "part"), ("c", "full"))
    front = [{**point, "in_short": name, "training": how} for name, how in trained]
    out = printed(capsys, [{**TRIAL, "outcomes": [{}]}], front)
    assert "a (untrained)" in out and "b (trained in part)" in out and "c (" not in out
    assert "12.1 KB 1.23 4.22 KB 89.1 % -1.23 points -3 to 0.4 points not established" in out
    assert "The float32 original: 4 KB, top1 90 % on 100 samples." in out
    assert "run the same command again to train the points marked 'untrained'" in out
    assert "run the same command again" not in printed(capsys, [{**TRIAL, "outcomes": [{}]}], front[2:])

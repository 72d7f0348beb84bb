from __future__ import annotations

from typing import Any

import pytest

from tflite_compress.reporting.build_report import _honest_notes, sizes

ENCODING = {
    "arena_bytes": {"plain": 100, "encoded": 120},
    "time_ratio": {"value": 1.5},
    "equal_on_samples": 128,
}


def report(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "latency": {"ratio": 0.5},
        "size": {"ratio": 0.3},
        "sparsity_by_layer": {},
        "encoding": None,
        "operators": {"CONV_2D": 1},
        "recipe": {"for_forests": False},
        "accuracy": {"verified": True, "labelled": True},
    }
    return plain | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latency": {"ratio": 1.02}}, "no difference in latency"),
        ({"latency": {"ratio": 1.5}}, "slower than the float32 original (1.50x)"),
        ({"size": {"ratio": 1.0}}, "no smaller than the float32 original"),
        (
            {"size": {"ratio": 1.0}, "recipe": {"for_forests": True}},
            "no smaller than the uncompressed forest",
        ),
        ({"sparsity_by_layer": {"a": 0.5}}, "stored as zeros"),
        ({"latency": {"ratio": 0.5, "sparse_ratio": 1.03}, "sparsity_by_layer": {"a": 0.5}}, "1.03x that of"),
        ({"encoding": ENCODING, "sparsity_by_layer": {"a": 0.5}}, "arena 100 → 120 bytes, time 1.50x"),
        ({"operators": {"UNIDIRECTIONAL_SEQUENCE_LSTM": 1}}, "reset_all_variables"),
        ({"accuracy": {"verified": False, "labelled": False}}, "accuracy is unknown"),
        ({"accuracy": {"verified": True, "labelled": False}}, "no labels"),
    ],
)
def test_what_did_not_pay_is_said(changes: dict[str, Any], words: str) -> None:
    assert _honest_notes(report()) == []
    notes = _honest_notes(report(**changes))
    assert len(notes) == 1 and words in notes[0]


def test_gzip_sizes_do_not_depend_on_the_clock() -> None:
    assert sizes(b"abc" * 100) == sizes(b"abc" * 100)
    assert sizes(b"\0" * 1000)["gzip_bytes"] < 50

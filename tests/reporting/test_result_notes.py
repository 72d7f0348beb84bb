from __future__ import annotations

from typing import Any

import pytest

from tests.reporting.sample import accuracy, latency, sample_report, size
from tflite_compress.reporting.build_report import file_size
from tflite_compress.reporting.figures import Encoding, RecipeFacts
from tflite_compress.reporting.result_notes import result_notes

ENCODING = Encoding(
    kinds={"lut": 2},
    tables=2,
    plain_bytes=40_000,
    bytes=33_424,
    plain_arena_bytes=100,
    arena_bytes=120,
    arena_source="TFLite Micro",
    time_ratio=1.5,
    time_source="this machine",
    equal_samples=128,
)
FOREST = RecipeFacts(name="forest", summary="forest", is_for_forests=True)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"latency": latency(0.02, 0.0204)}, "latency-unchanged", "no difference in latency"),
        ({"latency": latency(0.02, 0.03)}, "latency-worse", "1.50x slower than the float32 baseline"),
        ({"size": size(30_000, 30_000)}, "size-not-reduced", "no smaller than the float32 baseline"),
        (
            {"size": size(30_000, 30_000), "recipe": FOREST},
            "size-not-reduced",
            "no smaller than the uncompressed forest",
        ),
        ({"sparsity_by_layer": {"a": 0.5}}, "zeros-stored", "stored as zeros"),
        (
            {"latency": latency(0.02, 0.00824, 0.008), "sparsity_by_layer": {"a": 0.5}},
            "stored-sparsely",
            "1.03x that of",
        ),
        (
            {"encoding": ENCODING, "sparsity_by_layer": {"a": 0.5}},
            "weights-encoded",
            "arena 100 bytes → 120 bytes, time 1.50x",
        ),
        ({"operators": {"UNIDIRECTIONAL_SEQUENCE_LSTM": 1}}, "state-kept", "reset_all_variables"),
        ({"accuracy": accuracy(is_verified=False)}, "accuracy-unknown", "accuracy is unknown"),
        ({"accuracy": accuracy(is_labelled=False)}, "no-labels", "no labels"),
    ],
)
def test_each_limit_of_the_figures_has_its_note(changes: dict[str, Any], code: str, words: str) -> None:
    assert result_notes(sample_report()) == ()
    (note,) = result_notes(sample_report(**changes))
    assert note.code == code and words in note.text


def test_gzip_sizes_do_not_depend_on_the_clock() -> None:
    assert file_size(b"abc" * 100) == file_size(b"abc" * 100)
    assert file_size(b"\0" * 1000).gzip_bytes < 50

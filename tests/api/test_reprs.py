"""What a notebook shows of a result."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from tflite_compress import Diagnosis, SearchResult
from tflite_compress.diagnosis.culprits import Culprit
from tflite_compress.searching.records import SearchRecord


def test_a_diagnosis_is_shown_in_short() -> None:
    culprit = Culprit("conv<1>", 0.8, "many values are clipped", "Calibrate on more samples.")
    found = Diagnosis("int8", "top1", 0.9356, 0.8911, 0.0445, (), (), (culprit,), (), is_share=True)
    assert repr(found) == "<Diagnosis: int8, top1 93.6 % before, 89.1 % after, most noise from conv<1>>"
    assert "<td>conv&lt;1&gt;</td><td>many values are clipped</td>" in found._repr_html_()
    harmless = Diagnosis("int8", "top1", 0.9, 0.9, 0.0, (), (), (), (), is_share=True)
    assert repr(harmless) == "<Diagnosis: int8, top1 90 % before, 90 % after>"


def test_a_search_result_is_shown_in_short() -> None:
    point = {"trial": 3, "in_short": "50% sparsity + int8", "figures": {"size": 33536, "latency": 0.91234}}
    front = [{**point, "chosen": True}, {**point, "trial": 5, "chosen": False}]
    record = {"minimize": ["size", "latency"], "front": front, "trials": [{}] * 8}
    found = SearchResult(Path("searched/digits-rp2040"), cast(SearchRecord, record))
    short = "2 files from 8 trials, chosen: 50% sparsity + int8, searched/digits-rp2040"
    assert repr(found) == f"<SearchResult: {short}>"
    html = found._repr_html_()
    assert "<th>latency</th>" in html and html.count("<tr>") == 3
    assert "<td>33,536</td><td>0.91234</td>" in html
    nothing = SearchResult(Path("out"), cast(SearchRecord, {**record, "front": []}))
    assert "none chosen" in repr(nothing)

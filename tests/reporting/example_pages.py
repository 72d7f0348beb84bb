"""A page of each kind, with a name that would be code, were it not escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.timing.models import dense
from tflite_compress.checking.verdict import Finding, Verdict
from tflite_compress.diagnosis.culprits import Culprit
from tflite_compress.diagnosis.diagnose import Diagnosis
from tflite_compress.diagnosis.diagnosis_page import diagnosis_page
from tflite_compress.diagnosis.inputs import InputFinding
from tflite_compress.inspection.diff import compare_inspections
from tflite_compress.inspection.inspect_file import inspect
from tflite_compress.inspection.layer_errors import Layer
from tflite_compress.profiles.devices import load_device
from tflite_compress.reporting.benchmark_page import benchmark_page
from tflite_compress.reporting.facts_page import FactsPage
from tflite_compress.reporting.fit_page import verdicts_page
from tflite_compress.reporting.inspection_page import difference_page, inspection_page
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.searching.search_page import search_page
from tflite_compress.searching.search_result import SearchResult
from tflite_compress.support.notes import Note, note_record
from tflite_compress.tflite.flatbuffer import pack, unpack
from tflite_compress.timing.benchmark import Benchmark, Refusal, TimeRatio
from tflite_compress.timing.interleaved import Contender, Timing
from tflite_compress.timing.stats import Interval, summarize
from tflite_compress.timing.timed_process import Loaded

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def example_pages(folder: Path) -> dict[str, FactsPage]:
    """Return a page of each kind.

    Args:
        folder: Where their models are written.
    """
    model = unpack(dense(16, 3))
    for number, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.name = f"{EVIL}{number}".encode()
    paths = folder / "a.tflite", folder / "b.tflite"
    paths[0].write_bytes(pack(model))
    paths[1].write_bytes(dense(8))
    found, other = map(inspect, paths)
    return {
        "inspect": inspection_page(found),
        "diff": difference_page(found, other, compare_inspections(found, other)),
        "check": verdicts_page(EVIL, [_verdict("rp2040"), _verdict("android-gpu")]),
        "benchmark": benchmark_page(_benchmark(paths[0])),
        "diagnose": diagnosis_page(_diagnosis()),
        "search": search_page(SearchResult(folder / "found", _search()), folder / "page.html"),
    }


def _verdict(device: str) -> Verdict:
    flash = Measurement("flash", 3_000_000, "bytes", "estimated", "here")
    findings = (
        Finding("operators", True, "all of them run"),
        Finding("flash", False, EVIL, "Choose a smaller model.", flash, 2_000_000),
    )
    return Verdict(load_device(device), findings)


def _benchmark(path: Path) -> Benchmark:
    times = ((np.linspace(0.01, 0.02, 50), np.linspace(0.011, 0.02, 50)),)
    contender = Contender(EVIL, path.read_bytes(), (np.ones((1, 1, 16), np.float32),))
    timing = Timing(contender, Loaded(1.0, 0.1, 2**23, 2**20), summarize(times), times, 10, True)
    ratio = TimeRatio("file", EVIL, "a.tflite", Interval(2.0, 1.9, 2.1))
    notes = (Note("x", EVIL),)
    return Benchmark(
        "this machine", (timing,), refused=(Refusal(EVIL, "no"),), comparisons=(ratio,), notes=notes
    )


def _diagnosis() -> Diagnosis:
    layers = tuple(
        Layer(
            name=name, operator="CONV_2D", snr_db=20.123, cosine=0.99912, own_snr_db=30.0, added_noise=noise,
            clipped=0.0123, low=-1.0, high=1.0, range_low=-0.9, range_high=0.9, weights_snr_db=None,
            weights_cosine=None, per_channel=True, inputs=(), channel_db=20.0, outlier_channels=(),
            weight_spread=1.0,
        )
        for name, noise in ((EVIL, 0.03), ("b", 0.01))
    )  # fmt: skip
    data = (InputFinding(EVIL, "Use --preprocess.", 1.0),)
    culprits = (Culprit(EVIL, 0.75, "outliers", "Train longer."),)
    return Diagnosis(
        EVIL, "top1", 0.93, 0.88, 0.05, data, layers, culprits, (Note("x", EVIL),), is_share=True
    )


def _search() -> Any:
    """Return the record of a search with two points on the front and a trial that is not on it."""
    figures = {"size": 12_345.0, "latency": 1.2345, "ram": 4_321.0, "drop": 0.0123}
    point = {
        "folder": "points/01", "file": "m.tflite", "recipe": "r", "latency_unit": "ms", "accuracy": 0.89123,
        "drop": 0.0123, "training": "none",
    }  # fmt: skip
    smaller = {**figures, "size": 2_345.0, "latency": 2.5}
    front = [
        {**point, "trial": 0, "figures": smaller, "in_short": EVIL, "chosen": True},
        {**point, "trial": 1, "folder": "points/02", "figures": figures, "in_short": "int8", "chosen": False},
    ]
    outcome = {"figures": {**figures, "size": 20_000.0}, "in_short": EVIL}
    trial = {"trial": 2, "state": "complete", "ended": "hopeless", "values": {}, "outcomes": [outcome]}
    return {
        "device": {"name": "x", "title": EVIL}, "minimize": ["size", "latency"], "max_drop": 0.02,
        "seconds": 5.0,
        "original": {
            "bytes": 50_000, "accuracy": 0.9, "metric": "top1", "samples": 10, "is_share": True,
            "higher_is_better": True,
        },
        "front": front, "trials": [trial], "notes": [note_record(Note("x", EVIL))],
    }  # fmt: skip

"""A small report for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from tflite_compress.checking.device_verdict import DeviceVerdict
from tflite_compress.checking.verdict import Finding
from tflite_compress.reporting.accuracy_figures import Accuracy, MetricFacts, OutputAccuracy
from tflite_compress.reporting.candidate_facts import PassStep
from tflite_compress.reporting.figures import (
    DeviceFacts,
    Distance,
    FileSize,
    Fit,
    HostLatency,
    MacCount,
    Macs,
    Memory,
    ModelFacts,
    Parameters,
    RecipeFacts,
    Size,
)
from tflite_compress.reporting.model import Report, encode_report
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.scoring.drop_evidence import DropEvidence, judge_interval
from tflite_compress.scoring.intervals import Interval, wilson_interval
from tflite_compress.support.notes import Note
from tflite_compress.timing.paired import Latency

READY = DeviceVerdict(
    kind="ready", reason="top1 97 % → 96.8 % (-0.2 points)", next_step="Deploy it.", is_accepted=True
)
LOST = DeviceVerdict(
    kind="accuracy-not-kept", reason="top1 97 % → 80 %", next_step="Accept it.", is_accepted=False
)
RAM = Measurement("RAM", 20_480, "bytes", "estimated", "arena")
DEVICE_LATENCY = Measurement("latency", 2.0, "ms", "estimated", "MACs", 1.0, 4.0)
MANIFEST = {
    "model": {"path": "/models/digits.keras", "sha256": "ab"},
    "outputs": {"d.tflite": {"bytes": 33424, "sha256": "cd"}},
}


def latency(before_ms: float, after_ms: float, dense_ms: float | None = None) -> HostLatency:
    """Medians of baseline, result and densely stored result in ms."""
    times = [None if ms is None else Latency(ms, ms, ms, 10) for ms in (before_ms, after_ms, dense_ms)]
    assert times[0] is not None and times[1] is not None
    return HostLatency(source="this machine", baseline=times[0], result=times[1], dense=times[2])


def size(before: int, after: int) -> Size:
    return Size(
        baseline=FileSize(bytes=before, gzip_bytes=before - 8000),
        result=FileSize(bytes=after, gzip_bytes=after - 3000),
    )


def accuracy(drop: float = 0.002, **changes: Any) -> Accuracy:
    evidence = DropEvidence(
        outcome=judge_interval(Interval(drop - 0.004, drop + 0.004), 0.01),
        confidence=0.95,
        candidates=1,
        method="paired-score",
        drop_interval=Interval(drop - 0.004, drop + 0.004),
        before_interval=wilson_interval(0.97, 1450, 0.95),
        after_interval=wilson_interval(0.97 - drop, 1450, 0.95),
        changed_samples=9,
        needed_samples=900,
    )
    found = Accuracy(
        metric=MetricFacts(name="top1", higher_is_better=True, is_share=True),
        is_labelled=True,
        is_verified=True,
        samples=1450,
        before=0.97,
        after=0.97 - drop,
        drop=drop,
        max_drop=0.01,
        by_output={"digit": OutputAccuracy(before=0.97, after=0.97 - drop, drop=drop, evidence=evidence)},
        evidence=evidence,
    )
    return msgspec.structs.replace(found, **changes)


def sample_report(device: str = "rp2040", **changes: Any) -> Report:
    """A report of an int8 file; ``changes`` replace parts."""
    step = PassStep(
        name="convert", settings={}, seconds=1.1, accuracy=0.968, drop=0.002, is_applied=True, bytes=36528
    )
    findings = (
        Finding("flash", True, "33 KB | measured", measurement=measured("flash")),
        Finding("RAM", True, "20 KB", measurement=RAM),
    )
    found = Report(
        verdict=READY,
        model=ModelFacts(name="digits", format="keras"),
        device=DeviceFacts(name=device, title=f"Board {device}", kind="microcontroller"),
        recipe=RecipeFacts(name="int8", summary="int8", is_for_forests=False),
        command=None,
        file="digits.tflite",
        plain_file=None,
        accuracy=accuracy(),
        distance=Distance(max_abs=0.1, mean_abs=0.01, cosine=0.999, snr_db=30.0),
        size=size(108_000, 33_424),
        parameters=Parameters(original=27_000, result_weights=27_000, result_zeros=0),
        macs=Macs(baseline=MacCount(value=1000), result=MacCount(value=1000)),
        operators={"CONV_2D": 1},
        sparsity_by_layer={},
        channels_by_layer={},
        clusters_by_layer={},
        encoding=None,
        weights=(),
        latency=latency(0.02, 0.008),
        device_latency=DEVICE_LATENCY,
        memory=Memory(baseline=None, result=RAM),
        fit=Fit(fits=True, findings=findings),
        candidates=(),
        passes=(step,),
        forest=None,
        details=None,
        notes=(Note("plan", "a note <b>with</b> marks"),),
        seconds={"load": 5.0, "passes": 2.5},
        peak_memory_bytes=2_100_000_000,
        created="2026-11-28T02:15:00+00:00",
    )
    return msgspec.structs.replace(found, **changes)


def measured(name: str) -> Measurement:
    return Measurement(name, 20_480, "bytes", "measured", "the file")


def write_result(folder: Path, report: Report) -> Path:
    """A result folder with a report and a manifest."""
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(encode_report(report))
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    return folder

"""Verify the files that a search found: run each again, and time all of them interleaved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tflite_compress.checking.fit_result import fit_and_bundle
from tflite_compress.runtimes.litert import LiteRTModel, predict
from tflite_compress.searching.records import Check, Files, Report
from tflite_compress.support.errors import ConversionError
from tflite_compress.timing.paired import measure_alternately

if TYPE_CHECKING:
    from tflite_compress.compression.session import Session
    from tflite_compress.profiles.devices import Device

SECONDS_PER_FILE = 0.6
DECODED_SAMPLES = 20


def verify_files(contents: Sequence[Files], session: Session, device: Device) -> list[Check]:
    """Run finished files again on the evaluation samples, and time all of them interleaved.

    Args:
        contents: The files of each point: ``report.json`` and the files it names.
        session: Model and data.
        device: The target device.

    Returns:
        One check per point.
    """
    reference, ports = session.context.reference, session.source.network.tensor_names
    samples = reference.splits.evaluate.inputs
    found: list[tuple[bool, float, float, bool | None]] = []
    runners = [LiteRTModel(session.original, *ports)]
    for files in contents:
        report = json.loads(files["report.json"])
        runs_here = files[report.get("plain_file") or report["file"]]
        score = reference.score_of(predict(runs_here, samples, *ports))
        drop = reference.drop_of(score)
        same = drop == report["accuracy"]["drop"] and _decodes(files, report, session)
        verdict, _, _ = _fit(files, session, device, False)
        found.append((same, score.value, drop, verdict.fits))
        runners.append(LiteRTModel(runs_here, *ports))
    for runner in runners:
        runner.set_inputs(tuple(x[:1] for x in samples))
    timed = measure_alternately(runners, SECONDS_PER_FILE * len(runners))
    return [
        Check(
            same=same,
            accuracy=accuracy,
            drop=drop,
            fits=fits,
            latency_ratio=latency.median_ms / timed[0].median_ms,
            latency_ms=latency.median_ms,
        )
        for (same, accuracy, drop, fits), latency in zip(found, timed[1:], strict=True)
    ]


def make_file_bundle(files: Files, session: Session, device: Device) -> tuple[Files, str]:
    """Make the bundle of a finished file.

    Returns:
        The files of the bundle, and why there is none, or an empty string.
    """
    _, bundle, why_none = _fit(files, session, device, True)
    return {f"bundle/{name}": content for name, content in bundle.items()}, why_none


def _fit(files: Files, session: Session, device: Device, bundle: bool) -> Any:
    network = session.source.network
    return fit_and_bundle(
        files[json.loads(files["report.json"])["file"]],
        device,
        session.context.reference.splits.evaluate,
        tuple(port.name for port in network.inputs),
        network.name,
        session.spec.preprocess,
        bundle,
        session.options.limits,
    )


def _decodes(files: Files, report: Report, session: Session) -> bool:
    """Return True if no weights are encoded, or if the decoded file has the outputs of the plain file."""
    from tflite_compress.runtimes.tflm import has_same_outputs

    if "plain_file" not in report:
        return True
    samples = tuple(x[:DECODED_SAMPLES] for x in session.context.reference.splits.evaluate.inputs)
    ports = session.source.network.tensor_names
    try:
        return has_same_outputs(files[report["plain_file"]], files[report["file"]], samples, ports)
    except ConversionError:
        return False

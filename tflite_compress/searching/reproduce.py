"""Verify the files that a search found: run each again, and time all of them interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tflite_compress.reporting.model import Report, decode_report
from tflite_compress.runtimes.litert import LiteRTModel, predict
from tflite_compress.searching.records import Check, Files
from tflite_compress.support.errors import CompressError, ConversionError
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
        report = decode_report(files["report.json"])
        content = files[report.file]
        runs_here = files[report.plain_file] if report.plain_file else content
        score = reference.score_of(predict(runs_here, samples, *ports))
        drop = reference.drop_of(score)
        same = drop == report.accuracy.drop and _decodes(files, report, session)
        fits = session.checker.check(content, device, session.options.limits).fits
        found.append((same, score.value, drop, fits))
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
    content = files[decode_report(files["report.json"]).file]
    try:
        bundle = session.checker.bundle(content, device, session.source.network.name, session.spec.preprocess)
    except CompressError as error:
        return {}, error.message
    return {f"bundle/{name}": written for name, written in bundle.items()}, ""


def _decodes(files: Files, report: Report, session: Session) -> bool:
    """Return True if no weights are encoded, or if the decoded file has the outputs of the plain file."""
    from tflite_compress.runtimes.tflm import has_same_outputs

    if report.plain_file is None:
        return True
    samples = tuple(x[:DECODED_SAMPLES] for x in session.context.reference.splits.evaluate.inputs)
    ports = session.source.network.tensor_names
    try:
        return has_same_outputs(files[report.plain_file], files[report.file], samples, ports)
    except ConversionError:
        return False

"""Verify the files that a search found: run each again, and time all of them interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from tflite_compress.bundling.detections import find_detections
from tflite_compress.models.output_parts import file_outputs, join_outputs
from tflite_compress.reporting.accuracy_facts import accuracy_facts
from tflite_compress.reporting.model import Report, decode_report, encode_report
from tflite_compress.reporting.outcome import report_verdict
from tflite_compress.runtimes.litert import LiteRTModel, predict
from tflite_compress.scoring.reference import Outputs
from tflite_compress.searching.records import Check, Files
from tflite_compress.support.errors import CompressError, ConversionError
from tflite_compress.timing.paired import measure_alternately

if TYPE_CHECKING:
    from tflite_compress.compression.session import Session
    from tflite_compress.profiles.devices import Device

SECONDS_PER_FILE = 0.6
DECODED_SAMPLES = 20


def verify_files(contents: Sequence[Files], session: Session, device: Device, compared: int) -> list[Check]:
    """Run finished files again on the evaluation samples, and time all of them interleaved.

    Args:
        contents: The files of each point: ``report.json`` and the files it names.
        session: Model and data.
        device: The target device.
        compared: Number of files whose accuracy was measured on the same samples.

    Returns:
        One check per point.
    """
    reference, ports = session.context.reference, session.source.network.tensor_names
    samples = reference.splits.evaluate.inputs
    found: list[tuple[bool, float, float, bool | None, Report]] = []
    runners = [LiteRTModel(session.original, *ports)]
    for files in contents:
        report = decode_report(files["report.json"])
        content = files[report.file]
        runs_here = files[report.plain_file] if report.plain_file else content
        names = file_outputs(report.joined_outputs) or ports[1]
        parts = predict(runs_here, samples, ports[0], names)
        outputs = join_outputs(report.joined_outputs, names, parts)
        score = reference.score_of(outputs)
        recorded = tuple(output.after for output in report.accuracy.by_output.values())
        same = score.by_output == recorded and _decodes(files, report, session)
        corrected = _corrected(report, outputs, session, compared)
        fits = session.checker.check(content, device, session.options.limits).fits
        found.append((same, score.value, reference.drop_of(score), fits, corrected))
        runners.append(LiteRTModel(runs_here, ports[0], names))
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
            report=encode_report(report),
            outcome=report.accuracy.outcome,
            drop_interval=_drop_interval(report),
        )
        for (same, accuracy, drop, fits, report), latency in zip(found, timed[1:], strict=True)
    ]


def _corrected(report: Report, outputs: Outputs, session: Session, compared: int) -> Report:
    """Return the report with intervals of the drop that are corrected for the choice among all files."""
    rule = replace(session.options.rule, candidates=max(1, compared))
    accuracy = accuracy_facts(session.context.reference, outputs, rule, session.spec.given)
    strict = session.options.strict
    verdict = report_verdict(
        accuracy, report.gpu, report.fit.findings, True, is_strict=strict, on_gpu=report.gpu_accuracy
    )
    return msgspec.structs.replace(report, accuracy=accuracy, verdict=verdict)


def _drop_interval(report: Report) -> tuple[float, float] | None:
    found = report.accuracy.evidence
    if found is None or found.drop_interval is None:
        return None
    return found.drop_interval.low, found.drop_interval.high


def make_file_bundle(files: Files, session: Session, device: Device) -> tuple[Files, str]:
    """Make the bundle of a finished file.

    Returns:
        The files of the bundle, and why there is none, or an empty string.
    """
    report = decode_report(files["report.json"])
    content = files[report.file]
    try:
        bundle = session.checker.bundle(
            content,
            device,
            session.source.network.name,
            session.spec.preprocess,
            detections=find_detections(session.context.reference, report.joined_outputs),
        )
    except CompressError as error:
        return {}, error.message
    return {f"bundle/{name}": written for name, written in bundle.items()}, ""


def _decodes(files: Files, report: Report, session: Session) -> bool:
    """Return True if no weights are encoded, or if the decoded file has the outputs of the plain file."""
    from tflite_compress.runtimes.tflm import has_same_outputs

    if report.plain_file is None:
        return True
    samples = tuple(x[:DECODED_SAMPLES] for x in session.context.reference.splits.evaluate.inputs)
    inputs, outputs = session.source.network.tensor_names
    ports = inputs, file_outputs(report.joined_outputs) or outputs
    try:
        return has_same_outputs(files[report.plain_file], files[report.file], samples, ports)
    except ConversionError:
        return False

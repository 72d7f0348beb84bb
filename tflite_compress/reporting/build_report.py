"""Build the report of a run from what its parts found."""

from __future__ import annotations

import gzip
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from tflite_compress.checking.device_verdict import DeviceVerdict
from tflite_compress.data.gather import RANDOM_ORIGIN
from tflite_compress.data.overlap import find_overlap
from tflite_compress.data.split import Splits
from tflite_compress.passes import ConvertedModel
from tflite_compress.passes import values as facts
from tflite_compress.pipeline.candidates import Attempt, Step
from tflite_compress.pipeline.forecast import Forecast
from tflite_compress.reporting import figures
from tflite_compress.reporting.accuracy_facts import accuracy_facts
from tflite_compress.reporting.accuracy_figures import Accuracy
from tflite_compress.reporting.candidate_facts import CandidateFacts, PassStep
from tflite_compress.reporting.figures import (
    DeviceFacts,
    Distance,
    Encoding,
    EncodingChoice,
    FileSize,
    Fit,
    HostLatency,
    MacCount,
    Macs,
    Parameters,
    RecipeFacts,
    Size,
)
from tflite_compress.reporting.model import Report
from tflite_compress.reporting.outcome import report_verdict
from tflite_compress.reporting.result_notes import result_notes
from tflite_compress.reporting.run_findings import Findings
from tflite_compress.reporting.written import read_written
from tflite_compress.scoring.drop_evidence import DropRule
from tflite_compress.scoring.reference import Reference, distance
from tflite_compress.support.notes import Note, unique_notes
from tflite_compress.tflite.macs import Work, count_work
from tflite_compress.timing.machine import machine_name
from tflite_compress.timing.paired import Latency


def file_size(content: bytes) -> FileSize:
    """Return the size of a file in bytes, raw and gzipped."""
    return FileSize(bytes=len(content), gzip_bytes=len(gzip.compress(content, 9, mtime=0)))


def build_report(found: Findings) -> Report:
    """Build the report.

    Args:
        found: What the run found.
    """
    accuracy, on_gpu = _accuracy(found), _accuracy_on_gpu(found)
    report = _report_figures(found, accuracy, on_gpu)
    return msgspec.structs.replace(report, notes=_notes(found, report), steps=found.steps)


def _report_figures(found: Findings, accuracy: Accuracy, on_gpu: Accuracy | None) -> Report:
    """Return the report without notes and times of steps."""
    chosen, model, reference = found.chosen, found.chosen.model, found.reference
    work, written, device = count_work(model.for_litert), read_written(model), found.plan.device
    return Report(
        verdict=_verdict(found, accuracy, on_gpu),
        model=found.model,
        device=DeviceFacts(name=device.name, title=device.title, kind=device.kind),
        recipe=_recipe(chosen),
        command=found.command,
        file=found.file,
        plain_file=found.plain_file,
        accuracy=accuracy,
        gpu=chosen.gpu,
        gpu_accuracy=on_gpu,
        distance=_distance(reference, chosen),
        size=Size(baseline=file_size(found.baseline), result=file_size(model.flatbuffer)),
        parameters=_parameters(reference, work),
        macs=Macs(baseline=_mac_count(count_work(found.baseline)), result=_mac_count(work)),
        operators=count_work(model.flatbuffer).operators,
        joined_outputs=model.network.joined_outputs,
        forecast=_forecast(found.forecast, chosen),
        sparsity_by_layer=written.sparsity,
        channels_by_layer=written.channels,
        clusters_by_layer=written.clusters,
        encoding=_encoding(chosen.model.find(facts.Encoding)),
        encoding_choice=_encoding_choice(chosen),
        weights=work.layers,
        latency=_host_latency(found.latency),
        device_latency=found.verdict.measurement("latency"),
        memory=found.memory,
        fit=Fit(fits=found.verdict.fits, findings=found.verdict.findings),
        candidates=tuple(_candidate(a, found.rule.max_drop, accuracy) for a in found.attempts),
        passes=tuple(_step(s, accuracy) for s in chosen.steps),
        forest=found.forest,
        details=found.details,
        notes=(),
        seconds=found.seconds,
        peak_memory_bytes=found.peak_memory_bytes,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _verdict(found: Findings, accuracy: Accuracy, on_gpu: Accuracy | None) -> DeviceVerdict:
    return report_verdict(
        accuracy,
        found.chosen.gpu,
        found.verdict.findings,
        found.plan.is_recipe_named,
        found.has_bundle,
        found.is_strict,
        on_gpu,
    )


def _recipe(chosen: Attempt) -> RecipeFacts:
    recipe = chosen.recipe
    return RecipeFacts(name=recipe.name, summary=chosen.summary, is_for_forests=recipe.for_forests)


def _distance(reference: Reference, chosen: Attempt) -> Distance:
    assert chosen.outputs is not None
    return Distance(**distance(reference.evaluation_outputs, chosen.outputs))


def _parameters(reference: Reference, work: Work) -> Parameters:
    return Parameters(
        original=reference.network.parameter_count(),
        result_weights=sum(layer.weights for layer in work.layers),
        result_zeros=sum(layer.zeros for layer in work.layers),
    )


def _notes(found: Findings, report: Report) -> tuple[Note, ...]:
    further = tuple(
        Note("candidate-rejected", f"{a.summary} was rejected: {_rejection(a, found.reference)}")
        for a in itertools.takewhile(lambda a: a is not found.chosen, found.attempts)
    )
    return unique_notes(
        found.plan.notes,
        further,
        _data_notes(found.reference.splits),
        found.chosen.model.notes,
        read_written(found.chosen.model).notes,
        result_notes(report),
        found.notes,
    )


def _rejection(attempt: Attempt, reference: Reference) -> str:
    reason = attempt.error or attempt.violation or attempt.fault
    if reason:
        return reason
    worst = reference.metrics[reference.worst_of(attempt.steps[-1].score)]
    return f"accuracy drop {worst.drop_in_words(attempt.drop)}"


def _rule(found: Findings) -> DropRule:
    """Return how a drop is judged, corrected for the number of candidates."""
    compared = sum(attempt.outputs is not None for attempt in found.attempts)
    return replace(found.rule, candidates=compared)


def _accuracy(found: Findings) -> Accuracy:
    assert found.chosen.outputs is not None
    return accuracy_facts(found.reference, found.chosen.outputs, _rule(found), found.is_verified)


def _accuracy_on_gpu(found: Findings) -> Accuracy | None:
    """Return the accuracy on the GPU accelerator; None where it was not measured, or an output is faulty."""
    gpu = found.chosen.on_gpu
    if gpu is None or gpu.reference is None or gpu.outputs is None or found.chosen.fault is not None:
        return None
    return accuracy_facts(gpu.reference, gpu.outputs, _rule(found), found.is_verified)


def _forecast(found: Forecast | None, chosen: Attempt) -> figures.Forecast | None:
    """Compare what was estimated with what was measured; None where the file was not pruned as estimated."""
    used = None if found is None else found.level_of(chosen.recipe)
    if found is None or used is None:
        return None
    curve = found.curve

    def cost(level: float) -> figures.LevelCost:
        untrained, estimated = curve.untrained_at(level), curve.estimated_at(level)
        return figures.LevelCost(level=level, untrained_drop=untrained, estimated_drop=estimated)

    scanned = tuple(cost(round(curve.removed_at(share), 4)) for share in curve.removed)
    return figures.Forecast(
        setting=curve.setting,
        asked=cost(found.asked),
        used=cost(used),
        measured_drop=chosen.drop,
        scanned=scanned,
    )


def _mac_count(work: Work) -> MacCount:
    return MacCount(value=work.macs, uncounted=work.uncounted)


def _encoding_choice(chosen: Attempt) -> EncodingChoice | None:
    choice = chosen.model.find(facts.EncodingChoice)
    figures = _encoding(choice.figures if choice else None)
    if choice is None or figures is None:
        return None
    return EncodingChoice(encoding=figures, is_encoded=choice.is_encoded)


def _encoding(found: facts.Encoding | None) -> Encoding | None:
    if found is None:
        return None
    return Encoding(
        kinds=dict(found.kinds),
        tables=found.tables,
        plain_bytes=len(found.plain),
        bytes=found.encoded_bytes,
        plain_arena_bytes=found.plain_arena_bytes,
        arena_bytes=found.encoded_arena_bytes,
        arena_source="TFLite Micro, 64-bit build",
        time_ratio=found.time_ratio,
        time_source="TFLite Micro reference kernels on this machine, interleaved",
        equal_samples=found.equal_on_samples,
    )


def _host_latency(latency: Sequence[Latency]) -> HostLatency:
    return HostLatency(
        source=f"this machine ({machine_name()}), LiteRT, 1 thread, batch 1, interleaved",
        baseline=latency[0],
        result=latency[1],
        dense=latency[2] if len(latency) > 2 else None,
    )


def _candidate(attempt: Attempt, max_drop: float, accuracy: Accuracy) -> CandidateFacts:
    finished = attempt.outputs is not None
    return CandidateFacts(
        summary=attempt.summary,
        drop=attempt.drop if finished and math.isfinite(attempt.drop) else None,
        passed=finished and attempt.drop <= max_drop and attempt.violation is None,
        error=attempt.error,
        limit_violation=attempt.violation,
        passes=tuple(_step(s, accuracy) for s in attempt.steps),
    )


def _step(step: Step, accuracy: Accuracy) -> PassStep:
    decides = accuracy.deciding_output
    output = list(accuracy.by_output).index(decides) if decides else 0
    return PassStep(
        name=step.config.tag(),
        settings=_settings(step),
        seconds=round(step.seconds, 3),
        accuracy=step.score.by_output[output],
        drop=step.drop,
        is_applied=step.is_applied,
        bytes=len(step.model.flatbuffer) if isinstance(step.model, ConvertedModel) else None,
    )


def _settings(step: Step) -> dict[str, object]:
    settings: dict[str, object] = msgspec.json.decode(msgspec.json.encode(step.config))  # JSON's own types
    return {name: value for name, value in settings.items() if name != "pass"}


def _data_notes(splits: Splits) -> tuple[Note, ...]:
    notes = splits.evaluate.notes
    if RANDOM_ORIGIN in (splits.evaluate.origin, splits.train.origin):
        return notes
    overlap = find_overlap(splits)
    if not overlap.in_training and not overlap.in_calibration:
        return notes
    text = (
        f"of {overlap.samples:,} evaluation samples, {overlap.in_training:,} also occur in the training data "
        f"and {overlap.in_calibration:,} in the calibration data: accuracy may be overestimated"
    )
    return (*notes, Note("data-reused", text, "warning"))

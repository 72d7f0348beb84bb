"""What a run found about one device's file, from which the report is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tflite_compress.checking.verdict import Verdict
from tflite_compress.pipeline.candidates import Attempt
from tflite_compress.pipeline.forecast import Forecast
from tflite_compress.pipeline.plan import Plan
from tflite_compress.reporting.detail_figures import Details
from tflite_compress.reporting.figures import Memory, ModelFacts
from tflite_compress.scoring.drop_evidence import DropRule
from tflite_compress.scoring.reference import Reference
from tflite_compress.support.notes import Note
from tflite_compress.timing.paired import Latency
from tflite_compress.trees.forest_report import ForestFacts


@dataclass(frozen=True)
class Findings:
    """What a run found about one device's file, before it becomes a report.

    Attributes:
        plan: What was to be tried.
        attempts: What was tried.
        chosen: The attempt whose file is kept.
        reference: The original model on the data.
        baseline: The original as plain float32 ``.tflite``.
        latency: Times of the baseline, the result and, if it stores weights sparsely, of the dense file.
        verdict: Whether the file fits the device.
        memory: RAM of baseline and result on the device.
        model: The model.
        file: Name of the ``.tflite``.
        plain_file: Name of the ``.tflite`` without encoded weights, if they are encoded.
        rule: How an accuracy drop is judged.
        is_strict: True to accept only an accuracy that is established to be kept.
        is_verified: False where there was no data to check accuracy on.
        has_bundle: True if a bundle was written.
        forecast: What pruning was estimated to cost before training; None where nothing was.
        forest: Facts about decision trees.
        details: What the page shows besides figures.
        notes: Notes of the run's later steps.
        command: The command line that asked for the run.
        seconds: Time of each part of the run in seconds.
        steps: Time of each step in seconds, by its title.
        peak_memory_bytes: Largest memory of this process.
    """

    plan: Plan
    attempts: Sequence[Attempt]
    chosen: Attempt
    reference: Reference
    baseline: bytes
    latency: Sequence[Latency]
    verdict: Verdict
    memory: Memory
    model: ModelFacts
    file: str
    plain_file: str | None
    rule: DropRule
    is_strict: bool
    is_verified: bool
    has_bundle: bool
    forecast: Forecast | None
    forest: ForestFacts | None
    details: Details | None
    notes: tuple[Note, ...]
    command: str | None
    seconds: dict[str, float]
    steps: dict[str, float]
    peak_memory_bytes: int | None

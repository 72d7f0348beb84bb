"""Diagnose what float16 costs a float model on a GPU: data, accuracy, ranges, layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_compress.compression.session import Session
from tflite_compress.conversion.converter import ConverterSettings, convert_network
from tflite_compress.diagnosis.diagnose import BEYOND, Diagnosis
from tflite_compress.diagnosis.float16_culprits import find_float16_culprits
from tflite_compress.diagnosis.inputs import check_inputs
from tflite_compress.inspection.float16_layers import compare_in_float16
from tflite_compress.inspection.float16_peaks import measure_peaks
from tflite_compress.models.layer_table import layer_table
from tflite_compress.runtimes.litert import predict
from tflite_compress.scoring.gpu_score import GpuCheck, evaluate_on_gpu
from tflite_compress.scoring.reference import Reference, Score
from tflite_compress.support.notes import Note

COMPARED_SAMPLES = 8
MEASURED_SAMPLES = 64


def diagnose_float16(session: Session) -> Diagnosis:
    """Compare the float32 file on the CPU with the same file in float16 on the GPU accelerator.

    Args:
        session: The loaded model and its data.
    """
    reference, progress = session.context.reference, session.context.progress
    network, table = session.source.network, layer_table(session.source.network)
    names, splits = network.tensor_names, reference.splits
    with progress.step("checking the data"):
        inputs = check_inputs(reference)
    with progress.step("converting to float32"):
        content, _ = convert_network(
            network, ConverterSettings(precision="float32"), splits.calibrate.inputs, lambda n: None
        )
    with progress.step("measuring ranges for float16"):
        samples = tuple(x[:MEASURED_SAMPLES] for x in splits.calibrate.inputs)
        peaks = measure_peaks(content, samples, names[0], session.context.budget)
    with progress.step("evaluating in float16 on the GPU accelerator"):
        on_cpu = predict(content, splits.evaluate.inputs, *names)
        score = reference.score_of(on_cpu)
        evaluated = evaluate_on_gpu(content, reference, on_cpu, table, driver=session.options.gpu)
    with progress.step("comparing layer by layer"):
        few = splits.evaluate.take(np.arange(min(COMPARED_SAMPLES, len(splits.evaluate))))
        found = compare_in_float16(content, few.inputs, names[0], table, session.options.gpu)
    outcome = _outcome(reference, score, evaluated.check)
    worst = outcome.output
    faults = (Note(BEYOND, outcome.fault, "warning"),) if outcome.fault is not None else ()
    return Diagnosis(
        "float16",
        reference.metric_of(worst),
        reference.score.by_output[worst],
        outcome.after,
        outcome.drop,
        tuple(inputs),
        found.layers,
        tuple(find_float16_culprits(content, peaks, found.layers, table)),
        (*faults, *found.notes, *session.context.budget.notes),
        is_share=reference.metrics[worst].is_share,
        higher_is_better=reference.metrics[worst].higher_is_better,
    )


@dataclass(frozen=True)
class _Outcome:
    """Accuracy on the GPU accelerator, or on the CPU where the accelerator was not asked.

    Attributes:
        output: Number of the output that decides.
        after: Its accuracy.
        drop: The accuracy drop.
        fault: What makes the outputs wrong; None if they are right.
    """

    output: int
    after: float
    drop: float
    fault: str | None


def _outcome(reference: Reference, on_cpu: Score, check: GpuCheck) -> _Outcome:
    """Return the accuracy that decides."""
    if check.score is None:
        worst = reference.worst_of(on_cpu)
        return _Outcome(worst, on_cpu.by_output[worst], reference.drop_of(on_cpu), None)
    outputs = tuple(check.score.by_output.values())
    worst = int(np.argmax([output.drop for output in outputs]))
    return _Outcome(worst, outputs[worst].accuracy, check.score.drop, check.score.fault)

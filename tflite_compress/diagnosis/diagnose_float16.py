"""Diagnose what float16 costs a float model on a GPU: data, accuracy, ranges, layers."""

from __future__ import annotations

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
from tflite_compress.scoring.gpu_score import evaluate_on_gpu
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
        check = evaluated.check
    with progress.step("comparing layer by layer"):
        few = splits.evaluate.take(np.arange(min(COMPARED_SAMPLES, len(splits.evaluate))))
        found = compare_in_float16(content, few.inputs, names[0], table, session.options.gpu)
    worst, after, drop = reference.worst_of(score), score.by_output, reference.drop_of(score)
    notes: tuple[Note, ...] = found.notes
    if check.score is not None:
        drops = [output.drop for output in check.score.by_output.values()]
        worst, after = int(np.argmax(drops)), tuple(o.accuracy for o in check.score.by_output.values())
        drop = check.score.drop
        if check.score.fault is not None:
            notes = (Note(BEYOND, check.score.fault, "warning"), *notes)
    return Diagnosis(
        "float16",
        reference.metric_of(worst),
        reference.score.by_output[worst],
        after[worst],
        drop,
        tuple(inputs),
        found.layers,
        tuple(find_float16_culprits(content, peaks, found.layers, table)),
        (*notes, *session.context.budget.notes),
        is_share=reference.metrics[worst].is_share,
        higher_is_better=reference.metrics[worst].higher_is_better,
    )

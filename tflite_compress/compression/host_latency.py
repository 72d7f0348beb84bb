"""Latency of a result beside its baseline on this machine."""

from __future__ import annotations

from tflite_compress.passes.values import DenseFile
from tflite_compress.pipeline.candidates import Attempt
from tflite_compress.runtimes.litert import LiteRTModel
from tflite_compress.scoring.reference import Reference
from tflite_compress.timing.paired import Latency, measure_alternately


def measure_host_latency(
    baseline: bytes, attempt: Attempt, reference: Reference, seconds: float
) -> tuple[Latency, ...]:
    """Measure the float32 baseline and the result interleaved.

    Args:
        baseline: The original as plain float32 ``.tflite``.
        attempt: The attempt whose file is kept.
        reference: Gives the sample that is run.
        seconds: Time to spend.

    Returns:
        Latency of the baseline and of the result; third, if the result stores weights sparsely, that of
        the same file with dense weights.
    """
    model = attempt.model
    files = [baseline, model.for_litert]
    if (dense := model.find(DenseFile)) is not None:
        files.append(dense.content)
    sample = tuple(x[:1] for x in reference.splits.evaluate.inputs)
    runners = []
    for content in files:
        network = reference.network if content is baseline else model.network
        runner = LiteRTModel(content, *network.tensor_names)
        runner.set_inputs(sample)
        runners.append(runner)
    return tuple(measure_alternately(runners, seconds))

"""Score a file as a phone's GPU computes it: in float16, on LiteRT's GPU accelerator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypedDict

import msgspec
import numpy as np

from tflite_compress.inspection.float16_peaks import FLOAT16_MAX, layers_beyond, measure_peaks
from tflite_compress.models.network import Network
from tflite_compress.runtimes.gpu import accelerator_version, computed_on_cpu
from tflite_compress.runtimes.gpu_driver import GpuDriver
from tflite_compress.runtimes.gpu_jobs import GpuRun, run_one_on_gpu
from tflite_compress.scoring.reference import Outputs, Reference
from tflite_compress.support.errors import CompressError
from tflite_compress.tflite.layer_names import LayerTable
from tflite_compress.tflite.tensor_specs import read_signature

LIMIT_SECONDS = 60.0
PROBED_SAMPLES = 2
EXPLAINED_SAMPLES = 4


class GpuOutput(msgspec.Struct, frozen=True, kw_only=True):
    """One output on the GPU.

    Attributes:
        metric: Its metric.
        accuracy: Its score on the GPU.
        drop: Accuracy drop relative to the original model on the same samples.
        max_difference: Largest absolute difference from the CPU (XNNPACK), where both are finite.
        largest: Largest absolute value on the CPU.
        faulty_samples: Samples with NaN, infinity, or a value that float16 cannot hold.
    """

    metric: str
    accuracy: float
    drop: float
    max_difference: float
    largest: float
    faulty_samples: int


class GpuScore(msgspec.Struct, frozen=True, kw_only=True):
    """The accuracy of a file in float16 on the GPU accelerator.

    Attributes:
        adapter: What computed, with its version.
        accelerator: The package with the accelerator, with its version.
        samples: Number of evaluation samples that ran.
        is_whole: True if the GPU computes every operator.
        operators_on_cpu: Number of operators that it leaves to the CPU, without those that convert stored
            weights when the file is loaded.
        drop: Accuracy drop of the worst output; finite.
        by_output: Each output, by name.
        layers: Layers whose values or sums float16 cannot hold; empty unless an output is faulty.
    """

    adapter: str
    accelerator: str
    samples: int
    is_whole: bool
    operators_on_cpu: int
    drop: float
    by_output: dict[str, GpuOutput]
    layers: tuple[str, ...]

    @property
    def faulty_outputs(self) -> dict[str, GpuOutput]:
        """Outputs with NaN, infinity, or a value that float16 cannot hold, by name."""
        return {name: output for name, output in self.by_output.items() if output.faulty_samples}

    @property
    def judged_drop(self) -> float:
        """The accuracy drop; infinite if an output is faulty."""
        return float("inf") if self.faulty_outputs else self.drop

    @property
    def fault(self) -> str | None:
        """Which output is faulty, and the layers that float16 cannot hold; None if none is."""
        if not self.faulty_outputs:
            return None
        name, output = next(iter(self.faulty_outputs.items()))
        others = f" ({len(self.faulty_outputs)} outputs in all)" if len(self.faulty_outputs) > 1 else ""
        text = (
            f"on the GPU, output '{name}' is NaN, infinite or beyond 65,504 in {output.faulty_samples} of "
            f"{self.samples} samples{others}"
        )
        return f"{text}; layers beyond the range: {', '.join(self.layers)}" if self.layers else text


class GpuCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The check on the GPU accelerator.

    Attributes:
        score: The score; None if it was not measured.
        not_measured: Why it was not measured; None if it was.
    """

    score: GpuScore | None = None
    not_measured: str | None = None

    @property
    def judged_drop(self) -> float:
        """The accuracy drop on the GPU; minus infinity if it was not measured."""
        return float("-inf") if self.score is None else self.score.judged_drop


@dataclass(frozen=True, eq=False)
class GpuEvaluation:
    """A file on the GPU accelerator, with what its accuracy is judged from.

    Attributes:
        check: The score, or why it was not measured.
        reference: The original model on the samples that ran; None if it was not measured.
        outputs: Finite outputs on the GPU, one array per output, shape (samples, ...); None if it was
            not measured.
    """

    check: GpuCheck
    reference: Reference | None = None
    outputs: Outputs | None = None


def evaluate_on_gpu(
    content: bytes,
    reference: Reference,
    cpu_outputs: Outputs,
    layers: LayerTable,
    limit_seconds: float = LIMIT_SECONDS,
    driver: GpuDriver = "software",
    network: Network | None = None,
) -> GpuEvaluation:
    """Score a file in float16 on the GPU accelerator.

    Args:
        content: A ``.tflite``.
        reference: The original model on the data.
        cpu_outputs: Outputs of the file on the CPU for all evaluation samples.
        layers: The layers of the model, for naming those that float16 cannot hold.
        limit_seconds: Time to run samples. If it is too short for all of them, evenly spaced ones run.
        driver: ``software``, or ``device`` for the machine's own GPU.
        network: The network that the file was made from; the original by default.

    Returns:
        The score with its outputs, or why it was not measured: the accelerator is not set up, refuses the
        file or crashes.
    """
    try:
        run, chosen = _run(content, reference, limit_seconds, driver)
    except CompressError as error:
        hint = f" {error.hint}" if error.hint else ""
        return GpuEvaluation(GpuCheck(not_measured=f"{error.message}.{hint}"))
    outputs = _ordered(content, network or reference.network, run)
    part = reference
    if len(chosen) < len(reference.splits.evaluate):
        splits = replace(reference.splits, evaluate=reference.splits.evaluate.take(chosen))
        part = replace(reference, splits=splits)
    on_cpu = tuple(output[chosen] for output in cpu_outputs)
    finite = tuple(np.nan_to_num(o, nan=0.0, posinf=FLOAT16_MAX, neginf=-FLOAT16_MAX) for o in outputs)
    score = _score(content, part, run, outputs, finite, on_cpu, layers)
    return GpuEvaluation(GpuCheck(score=score), part, finite)


def _run(
    content: bytes, reference: Reference, limit_seconds: float, driver: GpuDriver
) -> tuple[GpuRun, np.ndarray]:
    """Run as many samples as the time allows; return the run and the numbers of the samples."""
    total = len(reference.splits.evaluate)
    first = np.arange(min(PROBED_SAMPLES, total))
    inputs = _raw_inputs(content, reference, first)
    probe = run_one_on_gpu(content, inputs, driver=driver, limit_seconds=4 * limit_seconds)
    if total <= PROBED_SAMPLES or not probe.times_ms:
        return probe, first
    count = int(np.clip(1000 * limit_seconds / max(probe.times_ms[-1], 1e-3), PROBED_SAMPLES, total))
    chosen = np.unique(np.linspace(0, total - 1, count).astype(int))
    inputs = _raw_inputs(content, reference, chosen)
    return run_one_on_gpu(content, inputs, driver=driver, limit_seconds=4 * limit_seconds), chosen


def _raw_inputs(content: bytes, reference: Reference, chosen: np.ndarray) -> Outputs:
    """Return samples as the file takes them, in the order of its inputs."""
    names = reference.network.tensor_names[0]
    arrays = dict(zip(names, reference.splits.evaluate.inputs, strict=True))
    return tuple(spec.to_raw(arrays[spec.name][chosen]) for spec in read_signature(content).inputs)


def _ordered(content: bytes, network: Network, run: GpuRun) -> Outputs:
    """Return the original model's outputs as real numbers, shape (samples, ...)."""
    specs = read_signature(content).outputs
    found = {}
    for spec, raw in zip(specs, run.outputs or (), strict=True):
        real = spec.to_real(raw)
        found[spec.name] = real.reshape(len(raw), *real.shape[2:]) if real.ndim > 1 else real
    return network.joined(tuple(found[name] for name in network.tensor_names[1]))


def _score(
    content: bytes,
    reference: Reference,
    run: GpuRun,
    outputs: Outputs,
    finite: Outputs,
    on_cpu: Outputs,
    layers: LayerTable,
) -> GpuScore:
    score = reference.score_of(finite)
    names = [spec.name for spec in reference.network.outputs]
    rows = [*zip(reference.metrics, score.by_output, reference.drops_of(score), strict=True)]
    if reference.joint is not None:
        rows *= len(names)  # one score for all outputs together
    figures = ((name, *row) for name, row in zip(names, rows, strict=True))
    by_output = {
        name: GpuOutput(metric=metric.name, accuracy=accuracy, drop=drop, **_difference(output, expected))
        for (name, metric, accuracy, drop), output, expected in zip(figures, outputs, on_cpu, strict=True)
    }
    faulty = any(output.faulty_samples for output in by_output.values())
    return GpuScore(
        adapter=str(run.adapter),
        accelerator=accelerator_version(),
        samples=len(outputs[0]),
        is_whole=run.log.is_whole,
        operators_on_cpu=computed_on_cpu(content, run.log),
        drop=reference.drop_of(score),
        by_output=by_output,
        layers=_beyond(content, reference, layers) if faulty else (),
    )


class _Difference(TypedDict):
    """The fields of :class:`GpuOutput` that compare one output with the CPU's."""

    max_difference: float
    largest: float
    faulty_samples: int


def _difference(output: np.ndarray, expected: np.ndarray) -> _Difference:
    """Return the fields of :class:`GpuOutput` that compare one output with the CPU's."""
    rows, others = (x.reshape(len(x), -1).astype(np.float64) for x in (output, expected))
    usable = np.isfinite(rows) & np.isfinite(others)
    faulty = ~np.isfinite(rows) | (np.abs(rows) > FLOAT16_MAX) | (np.abs(others) > FLOAT16_MAX)
    return {
        "max_difference": float(np.max(np.abs(rows - others)[usable], initial=0.0)),
        "largest": float(np.max(np.abs(others)[np.isfinite(others)], initial=0.0)),
        "faulty_samples": int(np.sum(faulty.any(axis=1))),
    }


def _beyond(content: bytes, reference: Reference, layers: LayerTable) -> tuple[str, ...]:
    """Return the layers whose values or sums float16 cannot hold on a few samples."""
    few = tuple(x[:EXPLAINED_SAMPLES] for x in reference.splits.evaluate.inputs)
    peaks = measure_peaks(content, few, reference.network.tensor_names[0])
    return tuple(layers_beyond(content, peaks, layers))

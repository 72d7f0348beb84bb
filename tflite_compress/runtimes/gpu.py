"""LiteRT's GPU accelerator as a runtime: float16 as on a phone's GPU, or float32."""

from __future__ import annotations

import statistics

from tflite_compress.runtimes.by_name import Remote, register_runtime
from tflite_compress.runtimes.gpu_driver import GpuDriver
from tflite_compress.runtimes.gpu_jobs import SECONDS, GpuPrecision, GpuRun, run_one_on_gpu
from tflite_compress.runtimes.gpu_log import GpuLog
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime
from tflite_compress.support.notes import Note
from tflite_compress.tflite.flatbuffer import unpack
from tflite_compress.tflite.partition import converts_constant

GPU, GPU_FLOAT32 = "litert-gpu", "litert-gpu-f32"
REQUIREMENT = "tflite-compress setup-gpu"
LATENCY_SECONDS = 0.2


def gpu_runtime(
    precision: GpuPrecision = "float16", driver: GpuDriver = "software", limit_seconds: float = SECONDS
) -> Runtime:
    """Return the accelerator as a runtime. Operators that it refuses run on the CPU in float32.

    Args:
        precision: ``float16`` as on a phone, or ``float32``.
        driver: ``software``, or ``device`` for the machine's own GPU.
        limit_seconds: Maximum time for a file.
    """

    def run(content: bytes, inputs: Arrays) -> RunResult:
        found = run_one_on_gpu(content, inputs, precision, driver, LATENCY_SECONDS, limit_seconds)
        return gpu_result(content, found, precision)

    return run


def gpu_result(content: bytes, run: GpuRun, precision: GpuPrecision) -> RunResult:
    """Return a run on the accelerator as a runtime's result.

    Args:
        content: The ``.tflite``.
        run: A run with outputs.
        precision: The precision it computed in.
    """
    where = f"{run.adapter}, {precision}"
    source = f"{where}; its time says nothing about a phone"
    costs = [Measurement("compile", run.compile_ms, "ms", "simulated", source)]
    if run.times_ms:
        costs.insert(0, Measurement("latency", statistics.median(run.times_ms), "ms", "simulated", source))
    name = f"{accelerator_version()} GPU accelerator ({where})"
    return RunResult(name, run.outputs, tuple(costs), (_note(run, computed_on_cpu(content, run.log)),))


def computed_on_cpu(content: bytes, log: GpuLog) -> int:
    """Return how many operators the accelerator leaves to the CPU for every inference.

    The log also counts those that convert stored weights, which run once, when the file is loaded.

    Args:
        content: The ``.tflite``.
        log: The accelerator's log.
    """
    tree = unpack(content)
    graph = tree.subgraphs[0]
    once = sum(converts_constant(tree, graph, op) for op in graph.operators or [])
    return max(log.on_cpu - once, 0)


def accelerator_version() -> str:
    """Return the package that the accelerator comes from, with its version."""
    from importlib.metadata import version

    return f"ai-edge-litert {version('ai-edge-litert')}"


def _note(run: GpuRun, on_cpu: int) -> Note:
    """Say how much of the file the GPU computes."""
    log = run.log
    if log.is_whole or (log.has_started and on_cpu == 0):
        return Note("gpu-whole", "the GPU computes all operators")
    reasons = "; ".join(f"{r.operator}: {r.reason}" for r in log.refused if r.reason)
    text = f"the GPU computes {log.on_gpu or 0} operators and the CPU {on_cpu}"
    return Note("gpu-part", f"{text} ({reasons})" if reasons else text, "warning")


@register_runtime(GPU, REQUIREMENT, rounding="float16")
def _make_float16(detail: str | None, remote: Remote) -> Runtime:
    return gpu_runtime("float16", remote.gpu)


@register_runtime(GPU_FLOAT32, REQUIREMENT, rounding="other kernels")
def _make_float32(detail: str | None, remote: Remote) -> Runtime:
    return gpu_runtime("float32", remote.gpu)

"""LiteRT on this machine as a runtime: each model runs in a child process."""

from __future__ import annotations

import os
import sys

from tflite_compress.runtimes.by_name import Remote, register_runtime
from tflite_compress.runtimes.isolated import (
    RUNNER,
    ChildError,
    job_folder,
    run_child,
    sequence_flags,
)
from tflite_compress.runtimes.refusals import explain_crash
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime
from tflite_compress.runtimes.runner_reply import read_runner_reply


def host_runtime(threads: int = 1, reference: bool = False, seconds: float = 0.5) -> Runtime:
    """Return LiteRT on this machine as a runtime.

    Args:
        threads: CPU threads.
        reference: Use the reference kernels instead of XNNPACK.
        seconds: Time to measure latency.
    """

    def run(content: bytes, inputs: Arrays) -> RunResult:
        options = [f"--threads={threads}", f"--seconds={seconds}", "--json"]
        options += [*sequence_flags(content), *(["--reference"] if reference else [])]
        kernels = "reference kernels" if reference else "XNNPACK"
        with job_folder(content, inputs) as folder:
            command = [sys.executable, str(RUNNER), str(folder / "model.tflite")]
            command += [f"--vectors={folder / 'inputs.npz'}", *options]
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            try:
                done = run_child(command, "LiteRT", environment=environment)
            except ChildError as crash:
                raise explain_crash(content, crash, "reference" if reference else "XNNPACK") from crash
            reply, outputs, sequence = read_runner_reply(done.stdout, done.stderr, "LiteRT", content)
        where = f"{kernels}, {threads} thread{'s' if threads > 1 else ''}, this machine"
        costs = (
            Measurement("latency", reply.latency.median_ms, "ms", "measured", where),
            Measurement(
                "process memory",
                reply.peak_kb * 1024.0,
                "bytes",
                "measured",
                f"peak of the process, {where}",
            ),
        )
        return RunResult(f"{reply.where.runtime} ({kernels})", outputs, costs, sequence=sequence)

    return run


@register_runtime("litert", "ai-edge-litert")
def _make_litert(detail: str | None, remote: Remote) -> Runtime:
    return host_runtime(remote.threads)


@register_runtime("litert-reference", "ai-edge-litert", rounding="other kernels")
def _make_reference(detail: str | None, remote: Remote) -> Runtime:
    return host_runtime(reference=True)

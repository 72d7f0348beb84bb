"""LiteRT on this machine as a runtime to ask: in a child process, on any file that looks intact."""

from __future__ import annotations

import os
import sys

from tflite_compress.runtimes.isolated import RUNNER, job_folder, read_runner_reply, run_child
from tflite_compress.runtimes.run_result import Arrays, Measurement, RunResult, Runtime


def host_runtime(threads: int = 1, reference: bool = False, seconds: float = 0.5) -> Runtime:
    """LiteRT here.

    Args:
        threads: CPU threads.
        reference: The plain reference kernels instead of XNNPACK.
        seconds: How long to measure latency.
    """

    def ask(content: bytes, inputs: Arrays) -> RunResult:
        options = [f"--threads={threads}", f"--seconds={seconds}", "--json"]
        options += ["--reference"] if reference else []
        kernels = "reference kernels" if reference else "XNNPACK"
        with job_folder(content, inputs) as folder:
            command = [sys.executable, str(RUNNER), str(folder / "model.tflite")]
            command += [f"--vectors={folder / 'inputs.npz'}", *options]
            environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            done = run_child(command, "LiteRT", environment=environment)
            reply, outputs = read_runner_reply(done.stdout, done.stderr, "LiteRT")
        where = f"{kernels}, {threads} thread{'s' if threads > 1 else ''}, this machine"
        costs = (
            Measurement("latency", reply["latency"]["median_ms"], "ms", "measured", where),
            Measurement(
                "process memory",
                reply["peak_kb"] * 1024.0,
                "bytes",
                "measured",
                f"peak of the process, {where}",
            ),
        )
        return RunResult(f"{reply['where']['runtime']} ({kernels})", outputs, costs)

    return ask

"""What the single-file runner prints as JSON, on this machine or on another."""

from __future__ import annotations

import msgspec

from tflite_compress.runtimes.isolated import EncodedArray, decode_arrays
from tflite_compress.runtimes.refusals import explain_refusal
from tflite_compress.runtimes.run_result import Arrays
from tflite_compress.support.errors import ModelError


class RunnerLatency(msgspec.Struct):
    """The runner's latency in ms; see ``runner.as_json``."""

    median_ms: float
    p90_ms: float
    min_ms: float
    runs: int


class RunnerMachine(msgspec.Struct):
    """The machine the runner ran on, and its software."""

    machine: str
    model: str
    python: str
    runtime: str
    numpy: str


class RunnerReply(msgspec.Struct):
    """The runner's JSON; see ``runner.as_json``."""

    outputs: list[EncodedArray]
    sequence: list[EncodedArray] | None
    latency: RunnerLatency
    load_ms: float
    peak_kb: int
    where: RunnerMachine


def read_runner_reply(
    text: str, complaints: str, what: str, content: bytes
) -> tuple[RunnerReply, Arrays, Arrays | None]:
    """Read the runner's JSON.

    Args:
        text: The runner's standard output; lines before the last JSON line are ignored.
        complaints: The runner's standard error, for the message if there is no JSON.
        what: Name of the runtime, for messages.
        content: The ``.tflite`` that was run.

    Returns:
        The reply; one raw array per output, shape (samples, ...); the same of the samples as one sequence, or
        None if it was not asked for.

    Raises:
        ModelError: There is no valid JSON.
    """
    lines = [line for line in text.splitlines() if line.startswith("{")]
    try:
        reply = msgspec.json.decode(lines[-1], type=RunnerReply)
        outputs = decode_arrays(reply.outputs)
        sequence = None if reply.sequence is None else decode_arrays(reply.sequence)
    except (IndexError, ValueError, TypeError) as error:
        reason = explain_refusal(content, complaints, "LiteRT")
        raise ModelError(f"{what} refuses the model: {reason}") from error
    return reply, outputs, sequence

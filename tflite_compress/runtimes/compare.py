"""Whether two runtimes compute the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.support.errors import CompressError
from tflite_compress.tflite.tensor_specs import Signature

INTEGER_STEPS = 1.0
FLOAT_SHARE = 1e-4
LITERT, REFERENCE = "litert", "litert-reference"


@dataclass(frozen=True)
class Comparison:
    """One runtime's outputs beside another's.

    Attributes:
        runtime: Which was compared.
        against: The yardstick's name; empty where the runtime computes no outputs.
        largest: Largest difference over all outputs, in steps for integers.
        allowed: Largest difference that counts as the same.
        answer: What the runtime found, or why it found nothing.
    """

    runtime: str
    against: str
    largest: float
    allowed: float
    answer: RunResult | CompressError

    @property
    def same(self) -> bool | None:
        """None where there is nothing to compare."""
        if isinstance(self.answer, CompressError):
            return False
        return self.largest <= self.allowed if self.against else None


def find_baseline(runtime: str) -> str:
    """Optimized kernels are compared with optimized ones, reference kernels with reference ones."""
    return REFERENCE if runtime == "tflm" else LITERT


def find_tolerances(outputs: Arrays, ports: Signature) -> tuple[float, ...]:
    """For each output the largest difference that rounding explains: one step, or 0.01 % of the range."""
    return tuple(
        INTEGER_STEPS
        if port.dtype.kind in "iu"
        else FLOAT_SHARE * max(1.0, float(np.max(np.abs(y), initial=0)))
        for port, y in zip(ports.outputs, outputs, strict=True)
    )


def measure_differences(first: Arrays, second: Arrays) -> tuple[float, ...]:
    """Largest absolute difference of each output; infinite where shapes differ."""
    found = []
    for a, b in zip(first, second, strict=False):
        if a.size != b.size:
            found.append(float("inf"))
        else:
            gap = np.abs(a.astype(np.float64).reshape(-1) - b.astype(np.float64).reshape(-1))
            found.append(float(gap.max(initial=0)))
    return tuple(found)


def compare(
    content: bytes, inputs: Arrays, ports: Signature, runtimes: Mapping[str, Runtime]
) -> list[Comparison]:
    """Run a file on several runtimes and compare each with LiteRT on this machine.

    Optimized and reference kernels of LiteRT round differently: that difference is told, and is no fault.

    Args:
        content: A ``.tflite``.
        inputs: Raw samples.
        ports: The file's inputs and outputs.
        runtimes: By name.
    """
    from tflite_compress.runtimes.host import host_runtime

    answers = {name: _asked(runtime, content, inputs) for name, runtime in runtimes.items()}
    for needed in {find_baseline(name) for name in runtimes} - set(answers):
        answers[needed] = _asked(host_runtime(reference=needed == REFERENCE, seconds=0), content, inputs)
    found = []
    for name in runtimes:
        answer, yardstick = answers[name], answers[find_baseline(name)]
        comparable = (
            isinstance(answer, RunResult)
            and isinstance(yardstick, RunResult)
            and answer.outputs is not None
            and yardstick.outputs is not None
            and name != LITERT
        )
        if not comparable:
            found.append(Comparison(name, "", 0.0, 0.0, answer))
            continue
        assert isinstance(answer, RunResult) and isinstance(yardstick, RunResult)
        assert answer.outputs is not None and yardstick.outputs is not None
        gaps = measure_differences(answer.outputs, yardstick.outputs)
        allowed = find_tolerances(yardstick.outputs, ports)
        worst = max(range(len(gaps)), key=lambda i: gaps[i] / allowed[i], default=0)
        limit = float("inf") if name == REFERENCE else allowed[worst]
        found.append(Comparison(name, find_baseline(name), gaps[worst], limit, answer))
    return found


def _asked(runtime: Runtime, content: bytes, inputs: Arrays) -> RunResult | CompressError:
    try:
        return runtime(content, inputs)
    except CompressError as error:
        return error

"""Compare the outputs of runtimes."""

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
class OutputDifference:
    """The largest difference between a runtime's outputs and the baseline's.

    Attributes:
        baseline: Name of the runtime they are compared with.
        value: Largest absolute difference, in steps for integer outputs.
        tolerance: Largest difference that counts as equal.
    """

    baseline: str
    value: float
    tolerance: float


@dataclass(frozen=True, repr=False)
class Comparison:
    """The outputs of one runtime, compared with those of LiteRT on this machine.

    Attributes:
        runtime: Name of the runtime.
        result: The runtime's result, or the error if it refuses the model.
        difference: The difference from the baseline; None if there are no outputs to compare.
    """

    runtime: str
    result: RunResult | CompressError
    difference: OutputDifference | None = None

    @property
    def is_same(self) -> bool | None:
        """True if the outputs are equal within the tolerance; None if there is nothing to compare."""
        if isinstance(self.result, CompressError):
            return False
        return None if self.difference is None else self.difference.value <= self.difference.tolerance

    def __repr__(self) -> str:
        if isinstance(self.result, CompressError):
            return f"<Comparison: {self.runtime} fails: {self.result.message[:500]}>"
        if self.difference is None:
            return f"<Comparison: {self.runtime}, nothing to compare>"
        word = "same as" if self.is_same else "differs from"
        figures = f"largest difference {self.difference.value:g}, tolerance {self.difference.tolerance:g}"
        return f"<Comparison: {self.runtime} {word} {self.difference.baseline}, {figures}>"


def find_baseline(runtime: str) -> str:
    """Return the runtime to compare with: reference kernels for reference kernels, else optimized ones."""
    return REFERENCE if runtime == "tflm" else LITERT


def find_tolerances(outputs: Arrays, signature: Signature) -> tuple[float, ...]:
    """Return the difference per output that rounding explains: 1 step, or 0.01 % of the range.

    Args:
        outputs: One raw array per output.
        signature: The file's inputs and outputs.
    """
    return tuple(
        INTEGER_STEPS
        if spec.dtype.kind in "iu"
        else FLOAT_SHARE * max(1.0, float(np.max(np.abs(y), initial=0)))
        for spec, y in zip(signature.outputs, outputs, strict=True)
    )


def measure_differences(first: Arrays, second: Arrays) -> tuple[float, ...]:
    """Return the largest absolute difference per output; infinite if the sizes differ."""
    found = []
    for a, b in zip(first, second, strict=False):
        if a.size != b.size:
            found.append(float("inf"))
        else:
            gap = np.abs(a.astype(np.float64).reshape(-1) - b.astype(np.float64).reshape(-1))
            found.append(float(gap.max(initial=0)))
    return tuple(found)


def compare(
    content: bytes, inputs: Arrays, signature: Signature, runtimes: Mapping[str, Runtime]
) -> list[Comparison]:
    """Run a file on several runtimes and compare each with LiteRT on this machine.

    LiteRT's optimized and reference kernels round differently. Their difference is reported, but counts as
    equal whatever its size.

    Args:
        content: A ``.tflite``.
        inputs: One raw array per input, shape (samples, ...), in the input's dtype.
        signature: The file's inputs and outputs.
        runtimes: Runtimes by name.

    Returns:
        One comparison per runtime, in the order of ``runtimes``.
    """
    from tflite_compress.runtimes.host import host_runtime

    results = {name: _run(runtime, content, inputs) for name, runtime in runtimes.items()}
    for needed in {find_baseline(name) for name in runtimes} - set(results):
        results[needed] = _run(host_runtime(reference=needed == REFERENCE, seconds=0), content, inputs)
    return [_compare(name, results, signature) for name in runtimes]


def _compare(name: str, results: Mapping[str, RunResult | CompressError], signature: Signature) -> Comparison:
    result, baseline = results[name], results[find_baseline(name)]
    outputs, expected = _outputs(result), _outputs(baseline)
    if outputs is None or expected is None or name == LITERT:
        return Comparison(name, result)
    gaps = measure_differences(outputs, expected)
    tolerances = find_tolerances(expected, signature)
    worst = max(range(len(gaps)), key=lambda i: gaps[i] / tolerances[i], default=0)
    limit = float("inf") if name == REFERENCE else tolerances[worst]
    return Comparison(name, result, OutputDifference(find_baseline(name), gaps[worst], limit))


def _outputs(result: RunResult | CompressError) -> Arrays | None:
    return None if isinstance(result, CompressError) else result.outputs


def _run(runtime: Runtime, content: bytes, inputs: Arrays) -> RunResult | CompressError:
    try:
        return runtime(content, inputs)
    except CompressError as error:
        return error

"""Compare the outputs of runtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.runtimes.by_name import rounding_of
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.runtimes.tolerances import Tolerance, find_tolerances
from tflite_compress.support.errors import CompressError
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.tensor_specs import FileTensorSpec, read_signature
from tflite_compress.tflite.tree import ModelTree

LITERT, REFERENCE = "litert", "litert-reference"
_State = Literal["fresh", "sequence"]


@dataclass(frozen=True)
class OutputDifference:
    """How much an output of a runtime differs from the baseline's, at the element that differs most.

    Attributes:
        baseline: Name of the runtime it is compared with.
        output: Name of the output.
        value: Absolute difference there, in steps for integer outputs. Infinite if the shapes differ.
        tolerance: Largest difference that counts as equal there, in the same unit.
        rule: What the tolerance is derived from.
        state: ``fresh`` if every sample started from a fresh state, ``sequence`` if the state was kept.
        unit: ``steps`` for integer outputs, else an empty string.
    """

    baseline: str
    output: str
    value: float
    tolerance: float
    rule: str
    state: _State
    unit: str

    @property
    def is_within(self) -> bool:
        """True if the difference is within the tolerance."""
        return self.value <= self.tolerance


@dataclass(frozen=True, repr=False)
class Comparison:
    """The outputs of one runtime, compared with those of LiteRT on this machine.

    Attributes:
        runtime: Name of the runtime.
        result: The runtime's result, or the error if it refuses the model.
        differences: One per output; for models that keep a state one more per output, over a sequence. Empty
            if there are no outputs to compare.
    """

    runtime: str
    result: RunResult | CompressError
    differences: tuple[OutputDifference, ...] = ()

    @property
    def difference(self) -> OutputDifference | None:
        """The difference that is largest in relation to its tolerance; None without differences."""
        return max(self.differences, key=_excess, default=None)

    @property
    def is_same(self) -> bool | None:
        """True if the outputs are equal within the tolerance; None if there is nothing to compare."""
        if isinstance(self.result, CompressError):
            return False
        return all(d.is_within for d in self.differences) if self.differences else None

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


def compare(content: bytes, inputs: Arrays, runtimes: Mapping[str, Runtime]) -> list[Comparison]:
    """Run a file on several runtimes and compare each with LiteRT on this machine.

    LiteRT's optimized and reference kernels round differently: their tolerance is larger.

    Args:
        content: A ``.tflite``.
        inputs: One raw array per input, shape (samples, ...), in the input's dtype.
        runtimes: Runtimes by name.

    Returns:
        One comparison per runtime, in the order of ``runtimes``.
    """
    from tflite_compress.runtimes.host import host_runtime

    results = {name: _run(runtime, content, inputs) for name, runtime in runtimes.items()}
    for needed in {find_baseline(name) for name in runtimes} - set(results):
        results[needed] = _run(host_runtime(reference=needed == REFERENCE, seconds=0), content, inputs)
    tree = read_tree(content)
    return [_compare(name, results, tree) for name in runtimes]


def _compare(name: str, results: Mapping[str, RunResult | CompressError], tree: ModelTree) -> Comparison:
    baseline = find_baseline(name)
    result, expected = results[name], results[baseline]
    if isinstance(result, CompressError) or isinstance(expected, CompressError) or name == baseline:
        return Comparison(name, result)
    found: list[OutputDifference] = []
    states: list[tuple[_State, Arrays | None, Arrays | None]] = [
        ("fresh", result.outputs, expected.outputs),
        ("sequence", result.sequence, expected.sequence),
    ]
    for state, mine, its in states:
        if mine is None or its is None:
            continue
        tolerances = find_tolerances(tree, its, rounding_of(name))
        rows = zip(read_signature(tree).outputs, mine, its, tolerances, strict=True)
        found += [_measure(spec, pair, tolerance, baseline, state) for spec, *pair, tolerance in rows]
    return Comparison(name, result, tuple(found))


def _measure(
    spec: FileTensorSpec,
    pair: Sequence[np.ndarray],
    tolerance: Tolerance,
    baseline: str,
    state: _State,
) -> OutputDifference:
    """Compare an output with the baseline's."""
    unit = "steps" if spec.is_quantized else ""
    if pair[0].size != pair[1].size:
        rule = "the sizes must be equal"
        return OutputDifference(baseline, spec.name, float("inf"), 0.0, rule, state, unit)
    gaps = measure_gaps(*pair)
    allowed = np.asarray(tolerance.values).reshape(-1)
    if not gaps.size:
        return OutputDifference(baseline, spec.name, 0.0, 0.0, tolerance.rule, state, unit)
    with np.errstate(over="ignore"):
        worst = int(np.argmax(gaps / np.maximum(allowed, np.finfo(np.float64).tiny)))
    value, limit = float(gaps[worst]), float(allowed[worst])
    return OutputDifference(baseline, spec.name, value, limit, tolerance.rule, state, unit)


def measure_gaps(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the absolute difference per element; 0 for equal infinities and NaN, infinite for one NaN.

    Args:
        found: Any shape.
        expected: As many elements.

    Returns:
        float64, shape (elements,).
    """
    a, b = (x.astype(np.float64).reshape(-1) for x in (found, expected))
    with np.errstate(invalid="ignore"):
        gaps = np.abs(a - b)
    gaps = np.where(np.isnan(gaps), np.inf, gaps)
    return np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, gaps)


def _excess(difference: OutputDifference) -> float:
    return difference.value / max(difference.tolerance, float(np.finfo(np.float64).tiny))


def _run(runtime: Runtime, content: bytes, inputs: Arrays) -> RunResult | CompressError:
    try:
        return runtime(content, inputs)
    except CompressError as error:
        return error

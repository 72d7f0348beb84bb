"""Check the data for wrong preprocessing and unrepresentative calibration samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.data.samples import Samples
from tflite_compress.scoring.metrics import apply_metric
from tflite_compress.scoring.reference import Reference

PROBED_SAMPLES = 500
TELLING_GAIN = 0.05
BEYOND_SHARE = 0.001
SHIFT = 0.5  # standard deviations

_VARIATIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "divided by 255": (lambda x: x / 255.0, "Pass --preprocess=unit."),
    "brought from 0..255 to -1..1": (lambda x: x / 127.5 - 1.0, "Pass --preprocess=symmetric."),
    "multiplied by 255": (
        lambda x: x * 255.0,
        "Give values from 0 to 255, or scale them by module:function.",
    ),
    "brought from 0..1 to -1..1": (lambda x: x * 2.0 - 1.0, "Scale them with --preprocess=module:function."),
    "brought from -1..1 to 0..1": (
        lambda x: (x + 1.0) / 2.0,
        "Scale them with --preprocess=module:function.",
    ),
    "with channels reversed": (lambda x: x[..., ::-1], "Swap red and blue: --preprocess=module:function."),
}


@dataclass(frozen=True)
class InputFinding:
    """A suspected problem with the data.

    Attributes:
        text: The problem.
        do: What to do.
        weight: Severity, to rank by: possible gain in accuracy, or share of affected values.
    """

    text: str
    do: str
    weight: float


def check_inputs(reference: Reference) -> list[InputFinding]:
    """Return the suspected problems with the data, worst first.

    Args:
        reference: The original model on the data.
    """
    found = [*check_preprocessing(reference), *check_calibration(reference)]
    return sorted(found, key=lambda f: -f.weight)


def check_preprocessing(reference: Reference) -> list[InputFinding]:
    """Try other scalings of the inputs, and return the one with which the float model is clearly better.

    This needs labels and a metric of which higher values are better.
    """
    evaluate = reference.splits.evaluate
    if not reference.labelled or evaluate.labels is None or not reference.metrics[0].higher_is_better:
        return []
    if len(evaluate.inputs) != 1 or evaluate.inputs[0].dtype.kind != "f":
        return []
    few = evaluate.take(np.arange(min(PROBED_SAMPLES, len(evaluate))))
    as_given = _score(reference, few)
    found = []
    for name, (vary, do) in _VARIATIONS.items():
        if "channels" in name and (few.inputs[0].ndim < 4 or few.inputs[0].shape[-1] != 3):
            continue
        varied = np.ascontiguousarray(vary(few.inputs[0]).astype(few.inputs[0].dtype))
        score = _score(reference, replace(few, inputs=(varied,)))
        if score > as_given + TELLING_GAIN:
            text = f"the float model scores {as_given:.3f} on inputs as given, {score:.3f} on them {name}"
            found.append(InputFinding(text, do, score - as_given))
    best = max(found, key=lambda f: f.weight, default=None)
    return [] if best is None else [best]


def _score(reference: Reference, samples: Samples) -> float:
    outputs = reference.scored(reference.network.predict(samples.inputs))
    targets = reference.labelled_targets(samples)
    assert targets is not None
    rows = zip(reference.metrics, targets, outputs, strict=True)
    return float(np.mean([apply_metric(metric, target, output) for metric, target, output in rows]))


def check_calibration(reference: Reference) -> list[InputFinding]:
    """Return the inputs whose calibration and evaluation values differ in range or distribution."""
    found = []
    splits = reference.splits
    ports = reference.network.inputs
    for port, seen, used in zip(ports, splits.calibrate.inputs, splits.evaluate.inputs, strict=True):
        if seen.dtype.kind != "f":
            continue
        low, high = float(seen.min()), float(seen.max())
        margin = 0.01 * (high - low)
        beyond = float(np.mean((used < low - margin) | (used > high + margin)))
        if beyond > BEYOND_SHARE:
            found.append(
                InputFinding(
                    f"{beyond:.1%} of the evaluation values of input '{port.name}' lie outside the {low:.3g} "
                    f"to {high:.3g} calibration saw ({float(used.min()):.3g} to {float(used.max()):.3g})",
                    "Calibrate on data like those the device will see: --calibrate=.",
                    beyond,
                )
            )
        spread = float(seen.std()) or 1.0
        shift = abs(float(seen.mean()) - float(used.mean())) / spread
        ratio = (float(used.std()) or 1e-9) / spread
        if shift > SHIFT or not 0.5 < ratio < 2:
            found.append(
                InputFinding(
                    f"input '{port.name}' has mean {float(seen.mean()):.3g} and deviation {spread:.3g} in "
                    f"calibration, {float(used.mean()):.3g} and {float(used.std()):.3g} in evaluation",
                    "Preprocess both alike, and calibrate on data like those the device will see.",
                    min(1.0, shift / 10 + abs(np.log2(ratio)) / 10),
                )
            )
    return found

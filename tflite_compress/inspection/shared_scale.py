"""Parts of a concatenation that are lost because all parts share one int8 scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tflite_compress.inspection.layer_errors import Layer

STEPS = 255  # of an int8 scale
MIN_STEPS = 16  # that a part needs to keep its values apart
MOVED = frozenset({"RESHAPE", "TRANSPOSE", "RELU", "LOGISTIC", "TANH"})  # to the parts, by split_outputs
GAIN = 4  # times as many steps that a scale of its own must give


@dataclass(frozen=True)
class LostPart:
    """A part of a concatenation with too few steps.

    Attributes:
        concatenation: The layer that concatenates.
        part: The layer whose values are lost.
        steps: Number of steps that its range takes.
        low, high: Its range.
        whole_low, whole_high: The range of the whole concatenation.
        is_output: True if it is an output, or if only layers that can move to its parts follow it.
    """

    concatenation: str
    part: str
    steps: float
    low: float
    high: float
    whole_low: float
    whole_high: float
    is_output: bool

    @property
    def text(self) -> str:
        """What is lost, and why."""
        return (
            f"{self.concatenation} gives one scale to all its parts: {self.whole_low:.3g} to "
            f"{self.whole_high:.3g}. The values of {self.part}, {self.low:.3g} to {self.high:.3g}, take "
            f"{self.steps:.2g} of {STEPS} steps"
        )

    @property
    def do(self) -> str:
        """What to do."""
        if self.is_output:
            return "Compress with --recipe=int8: pass 'split_outputs' is tried where int8 loses accuracy."
        return "Bring its parts to one range in the model, or use int16 activations: --precision=int16x8."


def is_lost(part: tuple[float, float], whole: tuple[float, float]) -> bool:
    """Return whether a range takes too few steps of a scale for another, and more of a scale of its own.

    Args:
        part: Smallest and largest value of the part.
        whole: Smallest and largest value of all parts.
    """
    steps = steps_of(part, whole)
    return steps < MIN_STEPS and steps_of(part, part) >= GAIN * steps


def steps_of(part: tuple[float, float], whole: tuple[float, float]) -> float:
    """Return how many of 255 steps of an int8 scale for one range another range takes."""
    width = max(whole[1], 0.0) - min(whole[0], 0.0)
    return (part[1] - part[0]) / width * STEPS if width > 0 else float(STEPS)


def find_lost_parts(layers: Sequence[Layer]) -> list[LostPart]:
    """Return the parts of concatenations that are lost in int8.

    Args:
        layers: The layers of a model that was compared with its int8 file.
    """
    by_name = {layer.name: layer for layer in layers}
    found = []
    for layer in layers:
        if layer.operator != "CONCATENATION" or layer.range_low is None:
            continue
        whole = layer.low, layer.high
        for part in (by_name[name] for name in layer.inputs if name in by_name):
            if is_lost((part.low, part.high), whole):
                steps = steps_of((part.low, part.high), whole)
                ranges = part.low, part.high, *whole
                found.append(LostPart(layer.name, part.name, steps, *ranges, _is_last(layer, layers)))
    return found


def _is_last(layer: Layer, layers: Sequence[Layer]) -> bool:
    """Return whether only layers that can move to the parts of a concatenation lead to an output."""
    readers = [reader for reader in layers if layer.name in reader.inputs]
    return all(reader.operator in MOVED and _is_last(reader, layers) for reader in readers)

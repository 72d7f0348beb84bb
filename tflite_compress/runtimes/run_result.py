"""What a runtime returns: outputs for inputs, and measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from tflite_compress.support.notes import Note
from tflite_compress.support.quantities import format_value

Kind = Literal["measured", "simulated", "estimated"]
Arrays = tuple[np.ndarray, ...]


class Measurement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One figure with its origin.

    Attributes:
        name: What was measured: ``latency``, ``arena``, ``flash``, ...
        value: The figure.
        unit: Unit of ``value``: ``ms``, ``bytes``, ``cycles``, ``share`` (0 to 1), or a metric's name.
        kind: ``measured`` on the device or file itself, ``simulated`` by the vendor's tool, or ``estimated``.
        source: What produced the figure, and on which machine.
        low: Lower end of the range of an estimate, or of the interval of an accuracy; None without a range.
        high: Upper end of the range; None if the figure has no range.
    """

    name: str
    value: float
    unit: str
    kind: Kind
    source: str
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, str | float]:
        """Return the measurement as plain data, without the range if there is none."""
        record: dict[str, str | float] = msgspec.to_builtins(self)
        return record

    @property
    def figure(self) -> str:
        """The value with its unit and its range, as text."""
        value = format_value(self.value, self.unit)
        if self.low is None or self.high is None:
            return value
        unit = self.unit if self.unit in ("bytes", "ms") else ""
        return f"{value} ({format_value(self.low, unit)} to {format_value(self.high, unit)})"

    def __str__(self) -> str:
        return f"{self.figure}, {self.kind}: {self.source}"


@dataclass(frozen=True)
class RunResult:
    """What one run on a runtime returned.

    Attributes:
        runtime: The runtime with its version.
        outputs: One raw array per output, shape (samples, ...), in the output's dtype. None if the
            runtime computes no outputs. Every sample starts from a fresh state.
        measurements: Latency, memory and other figures.
        notes: Facts about the run that a user should know.
        sequence: Outputs of the same samples as one sequence, with the state kept in between. None if the
            model keeps no state.
    """

    runtime: str
    outputs: Arrays | None
    measurements: tuple[Measurement, ...] = ()
    notes: tuple[Note, ...] = ()
    sequence: Arrays | None = None

    def measurement(self, name: str) -> Measurement | None:
        """Return the measurement of that name, or None."""
        return next((m for m in self.measurements if m.name == name), None)

    def __repr__(self) -> str:
        shapes = None if self.outputs is None else [tuple(y.shape) for y in self.outputs]
        figures = ", ".join(f"{m.name}={m.value:.4g} {m.unit}" for m in self.measurements[:6])
        return f"RunResult({self.runtime!r}, outputs={shapes}, {figures})"[:800]


# Takes a ``.tflite`` and one raw array per input, shape (samples, ...), in the input's dtype.
Runtime = Callable[[bytes, Arrays], RunResult]

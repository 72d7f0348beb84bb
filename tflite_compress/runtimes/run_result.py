"""What a runtime is asked, and what it answers: outputs for inputs, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["measured", "simulated", "estimated"]
Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Measurement:
    """One figure.

    Attributes:
        what: ``latency``, ``arena``, ``flash``, ...
        value: The figure.
        unit: ``ms``, ``bytes``, ``cycles``, ``share``.
        kind: Measured on the thing itself, simulated by its maker's tool, or estimated.
        how: By what, on what.
        low: Lower end of an estimate's range; equal to ``value`` for what was measured.
        high: Upper end likewise.
    """

    what: str
    value: float
    unit: str
    kind: Kind
    how: str
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data; the range only where there is one."""
        plain = {
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "kind": self.kind,
            "how": self.how,
        }
        return plain if self.low is None else {**plain, "low": self.low, "high": self.high}

    def __str__(self) -> str:
        spread = "" if self.low is None else f" ({self._number(self.low)} to {self._number(self.high)})"
        return f"{self._number(self.value)} {self.unit}{spread}, {self.kind}: {self.how}"

    def _number(self, value: float | None) -> str:
        return f"{value:,.0f}" if self.unit in ("bytes", "cycles") else f"{value:,.3g}"


@dataclass(frozen=True)
class RunResult:
    """What a runtime found.

    Attributes:
        runtime: Which one, with its version.
        outputs: For each output the raw values of each sample, shape (samples, ...); None from a
            runtime that only tells the cost.
        costs: What it takes.
        notes: What to know about it.
    """

    runtime: str
    outputs: Arrays | None
    costs: tuple[Measurement, ...] = ()
    notes: tuple[str, ...] = ()

    def cost(self, what: str) -> Measurement | None:
        """The figure called so, if there is one."""
        return next((c for c in self.costs if c.what == what), None)


# Given a ``.tflite`` and one raw array for each input, shape (samples, ...) in the tensor's own type.
Runtime = Callable[[bytes, Arrays], RunResult]

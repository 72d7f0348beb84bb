"""The verdict: whether a ``.tflite`` fits a device, with the findings that lead to it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.gpu_plan import GpuPlan
from tflite_compress.runtimes.run_result import Measurement

if TYPE_CHECKING:
    from tflite_compress.checking.device_verdict import DeviceVerdict

Subject = Literal[
    "runs", "operators", "types", "shapes", "quantization", "flash", "RAM", "latency", "NPU", "accuracy"
]


@dataclass(frozen=True)
class Limits:
    """The user's limits, in addition to the device's own; None sets no limit.

    Attributes:
        flash_bytes: Maximum flash for model and runtime.
        ram_bytes: Maximum RAM.
        latency_ms: Maximum time per inference. An estimate counts with the upper end of its range.
    """

    flash_bytes: int | None = None
    ram_bytes: int | None = None
    latency_ms: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        subject: What was checked.
        fits: True or False; None if it is unknown, or if the finding is a note.
        text: What was found.
        hint: What to do about it; None if there is nothing to do.
        measurement: The figure that was compared; None if the check is not about a figure.
        limit: The limit it was compared with, in the measurement's unit; None if there is none.
        is_limited: The user set a limit, so that an unknown figure blocks the file.
        floor: Why no smaller model would help a figure that is too large; None if one would.
    """

    subject: Subject
    fits: bool | None
    text: str
    hint: str | None = None
    measurement: Measurement | None = None
    limit: float | None = None
    is_limited: bool = False
    floor: str | None = None

    @property
    def is_blocking(self) -> bool:
        """True if the file does not fit the device because of this finding."""
        return self.fits is False or (self.is_limited and self.fits is None)


@dataclass(frozen=True, repr=False)
class Verdict:
    """All findings for one device.

    Attributes:
        device: The device's profile.
        findings: One or more per subject.
        gpu: How a phone's GPU and CPU share the operators; None for other devices.
    """

    device: Device
    findings: tuple[Finding, ...]
    gpu: GpuPlan | None = None

    @property
    def outcome(self) -> DeviceVerdict:
        """The findings in one word, with the reason and the next step."""
        from tflite_compress.checking.device_verdict import decide

        return decide(self.findings)

    @property
    def fits(self) -> bool:
        """True if no finding is blocking."""
        return not any(f.is_blocking for f in self.findings)

    def measurement(self, subject: Subject) -> Measurement | None:
        """Return the figure found for a subject, or None."""
        return next((f.measurement for f in self.findings if f.subject == subject and f.measurement), None)

    def __repr__(self) -> str:
        found = self.outcome
        text = f"<Verdict: {found.words} for {self.device.name}, {len(self.findings)} findings"
        return f"{text}: {found.reason[:600]}>"

    def _repr_html_(self) -> str:
        """Return the findings as an HTML table for notebooks."""
        marks = {True: "yes", False: "no", None: "?"}
        rows = "".join(
            f"<tr><td>{escape(f.subject)}</td><td>{marks[f.fits]}</td><td>{escape(f.text)}</td></tr>"
            for f in self.findings
        )
        found = self.outcome
        step = "" if found.next_step is None else f"<br>Next: {escape(found.next_step)}"
        return (
            f"<p><b>{found.words}</b> for {escape(self.device.title)}: {escape(found.reason)}{step}</p>"
            f"<table><tr><th>checked</th><th>fits</th><th>found</th></tr>{rows}</table>"
        )

"""One verdict per device, made from findings: what it is, why, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from tflite_compress.checking.verdict import Finding, Subject
from tflite_compress.support.quantities import format_value

VerdictKind = Literal["ready", "accuracy-not-kept", "too-large", "too-slow", "cannot-run", "not-established"]
# The kind of a finding that fails, the most serious first.
_FAILURES: dict[VerdictKind, tuple[Subject, ...]] = {
    "cannot-run": ("runs", "operators", "types", "shapes", "quantization", "NPU"),
    "accuracy-not-kept": ("accuracy",),
    "too-large": ("flash", "RAM"),
    "too-slow": ("latency",),
}
COLORS: dict[VerdictKind, str] = {
    "ready": "green",
    "not-established": "yellow",
    "accuracy-not-kept": "red",
    "too-large": "red",
    "too-slow": "red",
    "cannot-run": "red",
}
_MUST_BE_KNOWN: tuple[Subject, ...] = ("runs", "accuracy")


class DeviceVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a file can be deployed to a device.

    Attributes:
        kind: ``ready``; or why not: ``accuracy-not-kept``, ``too-large``, ``too-slow``, ``cannot-run``, or
            ``not-established`` where something could not be found out.
        reason: What it rests on.
        next_step: What to do; None if there is nothing to do.
        is_accepted: True if nothing that was asked for is violated; the command's exit code is then 0. A file
            whose accuracy nobody asked for is accepted, though not ready.
    """

    kind: VerdictKind
    reason: str
    next_step: str | None
    is_accepted: bool

    @property
    def words(self) -> str:
        """The kind as words, for example ``too large``."""
        return self.kind.replace("-", " ")


def mark_of(kind: VerdictKind) -> str:
    """Return the sign of a verdict: ``✓``, ``?`` or ``✗``."""
    return {"ready": "✓", "not-established": "?"}.get(kind, "✗")


def decide(findings: Sequence[Finding], ready_step: str | None = None) -> DeviceVerdict:
    """Return the verdict that findings lead to.

    Args:
        findings: What was checked, accuracy included where it was measured.
        ready_step: What to do with a file that is ready.
    """
    failed = [f for f in findings if f.fits is False]
    for kind, subjects in _FAILURES.items():
        found = [f for f in failed if f.subject in subjects]
        if found:
            others = [f for f in failed if f.subject not in subjects]
            reason = _join(found) + (f"; also {_join(others)}" if others else "")
            return DeviceVerdict(kind=kind, reason=reason, next_step=_hint(found), is_accepted=False)
    unknown = [f for f in findings if f.is_blocking or _leaves_open(f)]
    if unknown:
        is_accepted = not any(f.is_blocking for f in findings)
        return DeviceVerdict(
            kind="not-established",
            reason=_join(unknown),
            next_step=_hint(unknown),
            is_accepted=is_accepted,
        )
    shown = [f for f in findings if f.subject == "accuracy" or f.measurement is not None]
    unchecked = "" if any(f.subject == "accuracy" for f in findings) else "accuracy not checked"
    reason = "; ".join(part for part in (_join(shown), unchecked) if part)
    return DeviceVerdict(kind="ready", reason=reason, next_step=ready_step, is_accepted=True)


def _leaves_open(finding: Finding) -> bool:
    """Return True if a file cannot be called ready as long as this is unknown."""
    return finding.fits is None and (finding.subject in _MUST_BE_KNOWN or finding.limit is not None)


def _hint(findings: Sequence[Finding]) -> str | None:
    return next((f.hint for f in findings if f.hint is not None), None)


def _join(findings: Sequence[Finding]) -> str:
    return "; ".join(dict.fromkeys(describe_finding(f) for f in findings))


def describe_finding(finding: Finding) -> str:
    """Return a finding in a few words: ``flash 68.6 KB of 20 KB``, or its text if it has no figure."""
    figure, limit = finding.measurement, finding.limit
    if figure is None or finding.subject not in ("flash", "RAM", "latency"):
        return finding.text
    value = format_value(figure.value, figure.unit)
    estimated = "" if figure.kind == "measured" else f"about {value}"
    text = f"{finding.subject} {estimated or value}"
    if limit is not None:
        text = f"{text} of {format_value(limit, figure.unit)}"
    if finding.fits is None and figure.low is not None and figure.high is not None:
        low, high = (format_value(end, figure.unit) for end in (figure.low, figure.high))
        text = f"{text} ({low} to {high})"
    return text if finding.floor is None else f"{text}; {finding.floor}"

"""Facts of the report about the candidates: their passes and what came of them."""

from __future__ import annotations

from typing import Any

import msgspec


class PassStep(msgspec.Struct, frozen=True, kw_only=True):
    """One pass of a candidate.

    Attributes:
        name: The pass.
        settings: Its settings.
        seconds: Time it took in seconds.
        accuracy: Score after it.
        drop: Accuracy drop after it.
        is_applied: False if it left the model as it was.
        bytes: Size of the file after it; None before conversion.
    """

    name: str
    settings: dict[str, Any]
    seconds: float
    accuracy: float
    drop: float
    is_applied: bool
    bytes: int | None


class CandidateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One recipe that was tried.

    Attributes:
        summary: Its passes and main settings in a few words.
        drop: Accuracy drop; None where it gave no file.
        passed: True if it kept the accuracy and the limits.
        error: Why it gave no file; None if it gave one.
        limit_violation: The limit it exceeds; None if none is.
        passes: Its passes as far as they ran.
    """

    summary: str
    drop: float | None
    passed: bool
    error: str | None
    limit_violation: str | None
    passes: tuple[PassStep, ...]

"""Judge how a command ended: what docs/tested-models.md says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import msgspec

BUG = "This is a bug"
WORDS = ("ok", "no", "refused", "differs", "wrong", "too long")


class Outcome(msgspec.Struct, frozen=True):
    """How a command on a model ended.

    Attributes:
        model: Name of the model.
        column: Column of the table, which names the command.
        word: ``ok``; ``no`` (exit code 1: it does not fit, or accuracy is lost); ``refused`` (exit code 2
            with a message); ``differs`` (a runtime gives other outputs); ``wrong`` (a crash or a message
            that reports a bug); ``too long``.
        seconds: Wall time.
        reason: First line of the message, or what was found; None if there is nothing to say.
        commit: Last commit that changed the tool that ran.
    """

    model: str
    column: str
    word: str
    seconds: float
    reason: str | None
    commit: str


def judge(column: str, code: int, printed: str, messages: str) -> tuple[str, str | None]:
    """Return the word and the reason of a command that ended.

    Args:
        column: Column of the table.
        code: Exit code, negative for a signal.
        printed: Standard output.
        messages: Standard error.
    """
    error = next((line for line in messages.splitlines() if line.startswith("error: ")), None)
    reason = error.removeprefix("error: ") if error else None
    if BUG in messages or "Traceback (most recent" in messages or code not in (0, 1, 2):
        last = next((line for line in reversed(messages.splitlines()) if line.strip()), "no message")
        return "wrong", reason or f"exit code {code}: {last}"
    if code == 2 and column == "benchmark" and not reason:
        return "refused", json.loads(printed)["refused"][0]["why"]
    if code == 2:
        return ("refused", reason) if reason else ("wrong", "exit code 2 without a message")
    if column in _READERS:
        try:
            return _READERS[column](printed)
        except (ValueError, KeyError, TypeError) as failure:
            return "wrong", f"unreadable output: {failure!r}"
    return ("ok", None) if code == 0 else ("no", _verdict(printed))


def _verdict(printed: str) -> str | None:
    """Return what the text says of the result."""
    found = re.search(r"^[✓✗?] (\S.*)$", printed, re.MULTILINE)
    lines = [line.strip() for line in printed.splitlines() if re.match(r"\d+\. ", line.strip())]
    return found[1].strip() if found else (lines[0] if lines else None)


def _read_check(printed: str) -> tuple[str, str | None]:
    devices = json.loads(printed)
    fits = [device["device"] for device in devices if device["fits"]]
    return "ok", f"fits {', '.join(fits)}" if fits else "fits none"


def _read_verify(printed: str) -> tuple[str, str | None]:
    compared = [entry for entry in json.loads(printed) if entry["same"] is not None]
    refused = [f"{entry['runtime']}: {entry['error']}" for entry in compared if "error" in entry]
    differing = [
        f"{entry['runtime']}: {found['output']} differs by {found['value']:.3g}, "
        f"tolerance {found['tolerance']:.3g} ({found['rule']})"
        for entry in compared
        for found in entry.get("differences", [])
        if found["value"] > found["tolerance"]
    ]
    if differing:
        return "differs", "; ".join(differing)
    return ("refused", "; ".join(refused)) if refused else ("ok", None)


_READERS: dict[str, Callable[[str], tuple[str, str | None]]] = {
    "check": _read_check,
    "verify": _read_verify,
}

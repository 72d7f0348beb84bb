"""Errors that users can act on: each has a message, a hint and an exit code."""

from __future__ import annotations

import re
from collections.abc import Iterable

MIN_PART = 2  # characters; shorter words begin too many names
LIKE, NEARLY = 0.58, 0.1  # least similarity of a suggestion, and largest distance from the best one
_WORD = re.compile(r"[^\W_]+")


class CompressError(Exception):
    """An error the user can act on.

    Args:
        message: What is wrong, with the value and the place.
        hint: One thing to do about it that works, as an imperative sentence; None if nothing helps.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(CompressError):
    """A wrong option of the command line, or a wrong argument of a function."""


class ModelError(CompressError):
    """A model file that is missing, damaged, unsafe or not supported."""


class DataError(CompressError):
    """Data that is missing, malformed, or does not fit the model."""


class ConfigError(CompressError):
    """A mistake in a recipe or device profile."""


class MissingPackageError(CompressError):
    """A package that is needed and not installed."""


class TimeUsedError(CompressError):
    """Work that was not done, or not finished, because the time budget was used."""


class OutputError(CompressError):
    """A result that cannot be written."""


class ConversionError(CompressError):
    """The TensorFlow Lite converter or the runtime refused the model.

    Unlike the other errors it does not end a run at once: the next fallback of the recipe is
    tried first.
    """


def similar(word: str, known: Iterable[str]) -> list[str]:
    """Return up to three known words most like ``word``, best first.

    Case, hyphens and underscores do not count. A known word with a part that begins with ``word`` is like it.
    """
    import difflib

    wanted = spelled(word)
    scores: dict[str, float] = {}
    for name in known:
        plain = spelled(name)
        ratio = difflib.SequenceMatcher(None, wanted, plain).ratio()
        begins = len(wanted) >= MIN_PART and any(part.startswith(wanted) for part in _parts(name))
        scores[name] = max(ratio, 0.8) + 0.1 * ratio if begins else ratio
    best = max(scores.values(), default=0.0)
    near = [name for name, score in scores.items() if score >= max(LIKE, best - NEARLY)]
    return sorted(near, key=lambda name: -scores[name])[:3]


def closest(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known words most like ``word``, or an empty string."""
    *others, last = [f"'{name}'" for name in similar(word, known)] or [""]
    if not last:
        return ""
    return f" Did you mean {', '.join(others) + ' or ' if others else ''}{last}?"


def spelled(word: str) -> str:
    """Return what counts when names are compared: letters and digits, in lower case."""
    return "".join(_WORD.findall(word.casefold()))


def _parts(word: str) -> list[str]:
    """Return the ends of a word that begin at one of its parts: ``raspberrypi4``, ``pi4``, ``4``."""
    words = _WORD.findall(word.casefold())
    return ["".join(words[start:]) for start in range(len(words))]


class StructureError(ConversionError):
    """The model has a part that no quantization of activations supports, whatever the settings."""

"""Errors that users can act on: each has a message, a hint and an exit code."""

from __future__ import annotations


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


class OutputError(CompressError):
    """A result that cannot be written."""


class ConversionError(CompressError):
    """The TensorFlow Lite converter or the runtime refused the model.

    Unlike the other errors it does not end a run at once: the next fallback of the recipe is
    tried first.
    """


def closest(word: str, known: list[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known word most like ``word``, or an empty string."""
    import difflib

    matches = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" Did you mean '{matches[0]}'?" if matches else ""


class StructureError(ConversionError):
    """The model has a part that no quantization of activations supports, whatever the settings."""

"""What the user is told when something is wrong: one message, one next step, one exit code."""

from __future__ import annotations


class CompressError(Exception):
    """A mistake or limit the user can act on.

    Args:
        message: What was wrong and where.
        hint: One thing to do about it that works, as an imperative sentence.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}".strip()


class UsageError(CompressError):
    """A command line or call that does not make sense."""


class ModelError(CompressError):
    """A model file that is missing, broken, unsafe, or beyond what the tool supports."""


class DataError(CompressError):
    """Data that is missing, malformed, or does not fit the model."""


class ConfigError(CompressError):
    """A recipe or device profile with a mistake in it."""


class MissingPackageError(CompressError):
    """A package that is needed and not installed."""


class OutputError(CompressError):
    """A result that cannot be written."""


class ConversionError(CompressError):
    """The TensorFlow Lite converter or the runtime refused the model.

    Unlike its siblings it does not end a run at once: the next gentler option of the recipe is
    tried first.
    """


def closest(word: str, known: list[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known word most like ``word``, or an empty string."""
    import difflib

    matches = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" Did you mean '{matches[0]}'?" if matches else ""

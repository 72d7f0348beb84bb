"""What every library call does around its work: progress, process state, and errors in Python's terms."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tflite_compress.api.process_state import process_state_kept
from tflite_compress.support.errors import CompressError
from tflite_compress.support.progress import Advance, Progress

LOGGER = logging.getLogger("tflite_compress")
LOGGER.addHandler(logging.NullHandler())

# Options whose Python parameter has another name. All others differ in hyphens only.
_PARAMETERS = {
    "eval": "evaluate",
    "max-flash": "max_flash_bytes",
    "max-ram": "max_ram_bytes",
    "budget": "budget_seconds",
}


@dataclass(frozen=True)
class ProgressUpdate:
    """One step of the work, or its progress.

    Attributes:
        title: What is done, for example ``fine-tuning``.
        done: Units done so far.
        total: Units in all; None if unknown.
        is_message: True for a message, which has no units.
    """

    title: str
    done: int = 0
    total: int | None = None
    is_message: bool = False


ProgressCallback = Callable[[ProgressUpdate], None]


class CallbackProgress:
    """Logs steps, passes them to a callback, and remembers an exception that the callback raises.

    Code between the callback and the caller may turn an exception into a refused conversion and go on with
    another recipe. So each later step raises it again.

    Args:
        callback: The user's function; None logs only.
    """

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self.cancelled: BaseException | None = None

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Report the start of a step; yield the function that advances it."""
        LOGGER.info("%s", title)
        self._report(ProgressUpdate(title, 0, total))
        done = 0

        def advance(units: int) -> None:
            nonlocal done
            done += units
            self._report(ProgressUpdate(title, done, total))

        yield advance

    def say(self, text: str) -> None:
        """Report a message."""
        LOGGER.info("%s", text)
        self._report(ProgressUpdate(text, is_message=True))

    def _report(self, update: ProgressUpdate) -> None:
        if self.cancelled is not None:
            raise self.cancelled
        if self._callback is None:
            return
        try:
            self._callback(update)
        except BaseException as error:
            self.cancelled = error
            raise


@contextlib.contextmanager
def library_call(progress: ProgressCallback | None = None) -> Iterator[Progress]:
    """Run work of a library call inside.

    Args:
        progress: Called with each update; an exception it raises ends the work and reaches the caller.

    Yields:
        Where the work reports its progress.
    """
    reports = CallbackProgress(progress)
    with process_state_kept():
        try:
            yield reports
        except BaseException as error:
            if reports.cancelled is not None and error is not reports.cancelled:
                raise reports.cancelled from None
            if isinstance(error, CompressError):
                _speak_python(error)
            raise


def in_python(text: str) -> str:
    """Return a message with command-line options written as Python parameters.

    Examples:
        >>> in_python("--max-drop=-1: expected 0 or more")
        'max_drop=-1: expected 0 or more'
        >>> in_python("Give --data=FILE.npz, or --no-bundle.")
        'Give data="FILE.npz", or bundle=False.'
    """
    return re.sub(r"(?<![\w-])--([a-z][a-z0-9-]*)(=[^\s,;:)]*[^\s,;:.)])?", _parameter, text)


def _parameter(match: re.Match[str]) -> str:
    option, value = match[1], (match[2] or "")[1:]
    if option.startswith("no-") and not value:
        return f"{_name(option[3:])}=False"
    if not value:
        return _name(option)
    is_literal = re.fullmatch(r"[-+]?[\d._e]+|True|False|None", value)
    return f"{_name(option)}={value}" if is_literal else f'{_name(option)}="{value}"'


def _name(option: str) -> str:
    return _PARAMETERS.get(option, option.replace("-", "_"))


def _speak_python(error: CompressError) -> None:
    error.message = in_python(error.message)
    error.hint = in_python(error.hint) if error.hint else None
    error.args = (error.message,)

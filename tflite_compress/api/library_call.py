"""What every library call does around its work: progress, process state, and errors in Python's terms."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tflite_compress.api.process_state import process_state_kept
from tflite_compress.api.python_terms import speak_python
from tflite_compress.support.errors import CompressError
from tflite_compress.support.progress import Advance, Progress

LOGGER = logging.getLogger("tflite_compress")
LOGGER.addHandler(logging.NullHandler())


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
                speak_python(error)
            raise

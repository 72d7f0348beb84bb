"""Progress and log of a command: ``--quiet``, ``--verbose`` and ``--log-file``, options of every command."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tflite_compress.cli.option_types import File
from tflite_compress.support.errors import OutputError, UsageError

if TYPE_CHECKING:
    import logging

    from tflite_compress.support.progress import Advance, Progress

T = TypeVar("T")


@dataclass(frozen=True)
class LogOptions:
    """Messages.

    Attributes:
        quiet: Print only the result and errors, without progress.
        verbose: Also print the time of each step and the log messages of native code.
        log_file: Append progress, log messages of native code and tracebacks of errors to this file.
    """

    quiet: bool = False
    verbose: bool = False
    log_file: File | None = None


_current: ContextVar[LogOptions] = ContextVar("log options of the running command")


@contextlib.contextmanager
def logged(options: LogOptions, command_line: str) -> Iterator[None]:
    """Apply the options to the command that runs inside.

    Args:
        options: The options.
        command_line: The first line of the log file.

    Raises:
        UsageError: ``quiet`` and ``verbose`` are both set.
        OutputError: The log file cannot be written.
    """
    if options.quiet and options.verbose:
        raise UsageError("--quiet and --verbose exclude each other", "Remove one of them.")
    token = _current.set(options)
    try:
        with contextlib.nullcontext() if options.log_file is None else _log_file(options.log_file):
            if options.log_file is not None:
                _logger().info("%s", command_line)
            yield
    finally:
        _current.reset(token)


def with_progress(work: Callable[[Progress], T]) -> T:
    """Run work with progress bars on the terminal and the log output of native code hidden.

    Args:
        work: Takes the progress to report to.
    """
    from tflite_compress.support.backend import native_noise_captured
    from tflite_compress.support.progress import Silent, Terminal

    options = _current.get(LogOptions())
    with native_noise_captured() as noise:
        shown: Progress = Silent() if options.quiet else Terminal()
        try:
            return work(_Told(shown, options) if options.verbose or options.log_file is not None else shown)
        finally:
            noise.seek(0)
            for line in noise.read().splitlines() if options.verbose or options.log_file else ():
                _tell(shown, options, line)


class _Told:
    """Progress that also tells the time of each step, on the terminal, in the log file, or both."""

    def __init__(self, shown: Progress, options: LogOptions) -> None:
        self._shown, self._options = shown, options

    @contextlib.contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show the step, and tell how long it took."""
        start = time.monotonic()
        with self._shown.step(title, total) as advance:
            yield advance
        _tell(self._shown, self._options, f"  {title}: {time.monotonic() - start:.2f} s")

    def say(self, text: str) -> None:
        """Print the line, and write it into the log file."""
        self._shown.say(text)
        _tell(self._shown, LogOptions(log_file=self._options.log_file), text)


def _tell(shown: Progress, options: LogOptions, line: str) -> None:
    if options.verbose:
        shown.say(line)
    if options.log_file is not None:
        _logger().info("%s", line)


@contextlib.contextmanager
def _log_file(path: str) -> Iterator[None]:
    import logging

    logger, before = _logger(), _logger().level
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"--log-file={path}: cannot be written ({error.strerror})", "Choose another file."
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except BaseException as error:
        logger.error("%s", type(error).__name__, exc_info=True)
        raise
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
        handler.close()


def _logger() -> logging.Logger:
    import logging

    return logging.getLogger("tflite_compress")

"""The entry point: find the command, check its words, run it, and report errors."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from tflite_compress.support.errors import CompressError, UsageError, closest
from tflite_compress.support.process_settings import own_process

INTERRUPTED, INTERNAL = 130, 3
PIPE_CLOSED = 141  # as of a program that the signal SIGPIPE ends


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The words after the program's name; those of the process by default.

    Returns:
        The exit code: 0 success, 1 a check failed, 2 a mistake to correct, 3 an error of this program, 130
        interrupted, 141 the reader of the output has closed the pipe.
    """
    if argv is None:
        own_process()
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):  # Python flushes them once more when it exits
            os.dup2(nowhere, stream.fileno())
        return PIPE_CLOSED
    except (Exception, KeyboardInterrupt) as error:
        if debug and isinstance(error, Exception):
            raise
        return _reported(error)


def _dispatch(words: list[str]) -> int:
    from tflite_compress.cli.command_registry import all_commands
    from tflite_compress.cli.help_text import command_help, overview

    if {"--version", "-V"} & set(words):
        from tflite_compress.support.version import tool_version

        print(tool_version())
        return 0
    commands = all_commands()
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview(commands), end="")
        return 0 if words else 2
    name, *rest = words
    if name not in commands:
        guess = closest(name, list(commands))
        raise UsageError(
            f"unknown command '{name}'{'.' if guess else ''}{guess}",
            "'tflite-compress --help' lists the commands.",
        )
    if "--help" in rest or "-h" in rest:
        print(command_help(commands[name]), end="")
        return 0
    from tflite_compress.cli.fire_adapter import resolve

    return resolve(commands[name], rest)()


def _reported(error: BaseException) -> int:
    """Print an error for users and return the exit code."""
    from tflite_compress.support.packages import missing_package
    from tflite_compress.support.staging import full_disk

    if isinstance(error, KeyboardInterrupt):
        _print_error("interrupted; no result was written", "Run the same command again to resume a training.")
        return INTERRUPTED
    if isinstance(error, MemoryError):
        _print_error("out of memory", "Close other programs, or give less data.")
        return 2
    known = full_disk() or (error if isinstance(error, CompressError) else None)
    if known is None and isinstance(error, ModuleNotFoundError):
        known = missing_package(error)
    if known is not None:
        _print_error(known.message, known.hint)
        return known.exit_code
    _print_error(
        f"unexpected {type(error).__name__}: {_shortened(str(error))}",
        "This is a bug. Run the command again with --debug and report the traceback.",
    )
    return INTERNAL


def _print_error(message: str, hint: str | None) -> None:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def _shortened(text: str, length: int = 300) -> str:
    """One line; of a long text also the end, where TensorFlow's errors state the cause."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[:60]} … {line[60 - length :]}"


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

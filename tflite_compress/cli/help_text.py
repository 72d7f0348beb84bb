"""What ``--help`` prints, drawn from the registered commands."""

from __future__ import annotations

import inspect
import shutil
import textwrap

from tflite_compress.cli.command_registry import REQUIRED, Command, Option, options_of
from tflite_compress.cli.option_types import FLAG

WIDEST, NARROWEST, COLUMN = 100, 60, 28
_TOP = "tflite-compress: convert a Keras model into the smallest .tflite that keeps its accuracy on a device."
_END = """\
'tflite-compress COMMAND --help' (or -h) describes a command. --version (or -V) prints the version.
--debug shows tracebacks.

Exit codes: 0 success; 1 accuracy, size or comparison failed; 2 error; 130 interrupted."""


def overview(commands: dict[str, Command]) -> str:
    """Return the help of the whole command line: every command with its summary."""
    lines = [*_wrapped(_TOP), "", "Usage: tflite-compress COMMAND ...", ""]
    for section in dict.fromkeys(command.section for command in commands.values()):
        lines.append(f"{section}:")
        for command in commands.values():
            if command.section == section:
                lines += _row(command.name, command.summary, 18)
        lines.append("")
    return "\n".join([*lines, *_wrapped(_END), ""])


def command_help(command: Command) -> str:
    """Return the help of one command: usage, description, arguments, options, example."""
    usage = f"Usage: tflite-compress {command.name} {_usage(command)}".rstrip()
    lines = [*_wrapped(usage), "", *_wrapped(command.summary)]
    if command.description:
        lines += ["", *_wrapped(command.description)]
    if command.arguments:
        lines += ["", "Arguments:"]
        for name, text in command.arguments.items():
            required = name in command.positional and _is_required(command, name)
            lines += _row(name.upper(), text + (" Required." if required else ""))
    for group in command.all_groups:
        lines += ["", f"{(inspect.getdoc(group) or '').partition('.')[0]}:"]
        for option in options_of(group):
            lines += _row(_spelled(option, short=True), option.help + _default(option))
    return "\n".join([*lines, "", "Example:", f"  {command.example}", ""])


def _usage(command: Command) -> str:
    """Positional arguments and required options; ``[OPTIONS]`` for the rest."""
    words = []
    for name in command.positional:
        words.append(name.upper() if _is_required(command, name) else f"[{name.upper()}]")
    if command.variadic is not None:
        words.append(f"[{command.variadic[0].upper()} ...]")
    words += [_spelled(option) for option in command.options.values() if option.default is REQUIRED]
    if any(option.default is not REQUIRED for option in command.options.values()):
        words.append("[OPTIONS]")
    return " ".join(words)


def _is_required(command: Command, name: str) -> bool:
    parameter = command.parameters[name][0]
    return parameter.default is parameter.empty


def _spelled(option: Option, short: bool = False) -> str:
    """The option with the placeholder of its value; with its short form in front if asked for."""
    if option.kind is FLAG:
        written = option.flag if option.default is False else f"--no-{option.flag[2:]}"
    else:
        written = f"{option.flag}={option.kind.shown}"
    return f"{option.short}, {written}" if short and option.short else written


def _default(option: Option) -> str:
    if option.default is REQUIRED:
        return " Required."
    if option.default is None or option.kind is FLAG:
        return ""
    shown = option.default
    if isinstance(shown, tuple):
        shown = ",".join(map(str, shown))
    if option.kind.shown == "TIME" and isinstance(shown, float):
        return f" Default: {f'{shown / 60:g}m' if shown >= 60 else f'{shown:g}s'}."
    return f" Default: {shown:g}." if isinstance(shown, float) else f" Default: {shown}."


def _width() -> int:
    """The width of the terminal, within limits; without a terminal the widest."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def _wrapped(text: str) -> list[str]:
    """Paragraphs, separated by empty lines, in lines of the terminal's width."""
    paragraphs = [
        textwrap.wrap(" ".join(part.split()), _width(), break_on_hyphens=False, break_long_words=False)
        for part in text.split("\n\n")
    ]
    return [line for lines in paragraphs for line in (*lines, "")][:-1]


def _row(name: str, text: str, column: int = COLUMN) -> list[str]:
    """A name and its text beside it, wrapped; below it where the name is too long."""
    wrapped = textwrap.wrap(text, _width() - column - 2, break_on_hyphens=False)
    if len(name) > column - 2:
        return [f"  {name}", *(" " * (column + 2) + line for line in wrapped)]
    return [f"  {name:<{column}}{wrapped[0]}", *(" " * (column + 2) + line for line in wrapped[1:])]

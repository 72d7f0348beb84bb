"""Commands and their options, read from function signatures.

A command is a function decorated with :func:`command`. Its parameters decide its command line: ``name: str``
is a positional argument, ``*names: str`` are several, a parameter annotated with a dataclass adds the fields
of that dataclass as options, ``**settings: object`` accepts the settings of recipes, and ``asked: AskedFor``
receives the command line itself. A command with an option for data also has the options that say how to read
data; see ``source_options``.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_type_hints

from tflite_compress.cli.option_types import SOURCE, Kind, kind_of
from tflite_compress.cli.run_log import LogOptions
from tflite_compress.cli.source_options import source_groups
from tflite_compress.data.file_source import described_kinds
from tflite_compress.support.docstrings import attribute_meanings

MODULES = (
    "compress_commands",
    "diagnose_command",
    "search_command",
    "device_commands",
    "file_commands",
    "inspect_command",
    "profile_commands",
    "completion_command",
)
REQUIRED = dataclasses.MISSING
SHORT = {"device": "-d", "recipe": "-r", "out": "-o", "quiet": "-q", "verbose": "-v"}  # by option


class AskedFor(str):
    """The command line that was given, quoted for a shell."""


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes:
        name: As a Python identifier; hyphens replace underscores on the command line. An underscore at the
            end keeps it from being a keyword of Python.
        kind: The type of its values.
        default: The value without the option, or ``REQUIRED``.
        help: What it does.
    """

    name: str
    kind: Kind
    default: object
    help: str

    @property
    def flag(self) -> str:
        """The option as it is typed, for example ``--max-drop``."""
        return "--" + self.name.rstrip("_").replace("_", "-")

    @property
    def short(self) -> str | None:
        """The short form, for example ``-d``; None if there is none."""
        return SHORT.get(self.name)


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: Its name on the command line.
        section: The heading it is listed under.
        example: Arguments of a typical call.
        function: What runs; it returns the exit code.
        arguments: Help of the positional arguments by parameter name.
    """

    name: str
    section: str
    example: str
    function: Callable[..., int]
    arguments: dict[str, str]

    @functools.cached_property
    def parameters(self) -> dict[str, tuple[inspect.Parameter, object]]:
        """Parameters of the function, each with its evaluated annotation."""
        hints = get_type_hints(self.function, include_extras=True)
        return {n: (p, hints[n]) for n, p in inspect.signature(self.function).parameters.items()}

    @functools.cached_property
    def groups(self) -> dict[str, type]:
        """Dataclasses of options by parameter name."""
        return {
            name: hint
            for name, (_, hint) in self.parameters.items()
            if isinstance(hint, type) and dataclasses.is_dataclass(hint)
        }

    @functools.cached_property
    def sources(self) -> tuple[str, ...]:
        """Names of the options that are data sources."""
        own = (option for group in self.groups.values() for option in options_of(group))
        return tuple(option.name for option in own if option.kind is SOURCE)

    @property
    def source_settings(self) -> frozenset[str]:
        """Names of the options that say how to read data sources."""
        groups = source_groups() if self.sources else ()
        return frozenset(option.name for group in groups for option in options_of(group))

    @property
    def all_groups(self) -> tuple[type, ...]:
        """Dataclasses of options, with those of data sources, and the one that every command has."""
        return (*self.groups.values(), *(source_groups() if self.sources else ()), LogOptions)

    @functools.cached_property
    def options(self) -> dict[str, Option]:
        """All options by name."""
        return {option.name: option for group in self.all_groups for option in options_of(group)}

    @functools.cached_property
    def positional(self) -> dict[str, Kind]:
        """Positional arguments that take one word each, with their types."""
        return {
            name: kind_of(hint)
            for name, (parameter, hint) in self.parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            and name not in self.groups
            and hint is not AskedFor
        }

    @functools.cached_property
    def variadic(self) -> tuple[str, Kind] | None:
        """The positional argument that takes any number of words, if there is one."""
        for name, (parameter, hint) in self.parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                return name, kind_of(hint)
        return None

    @functools.cached_property
    def takes_settings(self) -> bool:
        """True if settings of recipes are options too."""
        return any(p.kind is p.VAR_KEYWORD for p, _ in self.parameters.values())

    @property
    def summary(self) -> str:
        """The first line of the help."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The help below the first line; empty if there is none."""
        return re.split(r"\n*Args:\n", (inspect.getdoc(self.function) or "").partition("\n")[2])[0].strip()


_COMMANDS: dict[str, Command] = {}


def command(
    section: str, example: str, **arguments: str
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Register a function as a command.

    Args:
        section: Heading in ``tflite-compress --help``.
        example: Arguments of a typical call, without the command's name.
        **arguments: Help of each positional argument.
    """

    def register(function: Callable[..., int]) -> Callable[..., int]:
        word = function.__name__.replace("_", "-")
        _COMMANDS[word] = Command(
            word, section, f"tflite-compress {word} {example}".strip(), function, arguments
        )
        return function

    return register


def all_commands() -> dict[str, Command]:
    """Import the modules of commands and return every command by name, in the order of the help."""
    import importlib

    for module in MODULES:
        importlib.import_module(f"tflite_compress.cli.{module}")
    return _COMMANDS


def options_of(group: type) -> list[Option]:
    """Return the options that a dataclass describes.

    Args:
        group: A dataclass whose docstring documents its fields under ``Attributes:``.
    """
    hints, meanings = get_type_hints(group, include_extras=True), attribute_meanings(group)
    return [
        Option(f.name, kind_of(hints[f.name]), f.default, _with_kinds(meanings[f.name]))
        for f in dataclasses.fields(group)
    ]


def _with_kinds(text: str) -> str:
    """A help text with the kinds of data in the place of ``KINDS_OF_DATA``."""
    return text.replace("KINDS_OF_DATA", described_kinds())

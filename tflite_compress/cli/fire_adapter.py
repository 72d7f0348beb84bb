"""Turn words into a call, by fire. Every mistake in the words is reported before the call.

fire binds words to the parameters of a function and reads their values. By itself it calls the function first
and reports unused words afterwards, accepts a repeated option, and takes the word after a flag as its value.
So names are checked here, and the function that fire calls only returns the values.
"""

from __future__ import annotations

import inspect
import keyword
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from tflite_compress.cli.command_registry import (
    REQUIRED,
    SHORT,
    AskedFor,
    Command,
    Option,
    options_of,
)
from tflite_compress.cli.option_types import FLAG, Kind, UnclearValueError
from tflite_compress.cli.run_log import LogOptions, logged
from tflite_compress.cli.unknown_option import unknown_option
from tflite_compress.data.file_source import with_settings
from tflite_compress.support.errors import UsageError, closest

_OPTION = re.compile(r"-$|--|-[A-Za-z]")
_PLACED = "*"
_SHORT = {short: name for name, short in SHORT.items()}
Bound = dict[str, object]


def resolve(command: Command, words: Sequence[str]) -> Callable[[], int]:
    """Return the call that a command line asks for, ready to run.

    Args:
        command: The command.
        words: The words after its name.

    Raises:
        UsageError: An option is unknown or repeated, a value is missing or has the wrong type, or there are
            too few or too many arguments.
    """
    named, placed = _separated(command, words)
    _require_places(command, placed)
    for option in command.options.values():
        if option.default is REQUIRED and option.name not in named:
            raise UsageError(f"{option.flag} is missing", f"For example: {command.example}")
    plain = [f"--{name}={value}" for name, value in named.items()]
    bound = _bound_by_fire(command, [*plain, *placed])
    typed = [_typed(command, name, value) for name, value in named.items()]
    asked = AskedFor(shlex.join(["tflite-compress", command.name, *placed, *typed]))
    settings = {n: _setting(bound[n.replace("-", "_")]) for n in named if n not in command.options}
    return lambda: _call(command, bound | _sources(command, bound, named), settings, asked)


def _typed(command: Command, name: str, value: str) -> str:
    """An option as users type it: hyphens in its name, a flag without a value."""
    word, option = name.rstrip("_").replace("_", "-"), command.options.get(name)
    if value in ("true", "false") and (option is None or option.kind is FLAG):
        return f"--{'no-' if value == 'false' else ''}{word}"
    return f"--{word}={value}"


def _separated(command: Command, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split words into options by name, each with the text of its value, and positional arguments."""
    named: dict[str, str] = {}
    placed: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if _OPTION.match(word) is None:
            placed.append(word)
            continue
        typed, equals, value = word.partition("=")
        name, implied = _known_name(command, typed)
        option = command.options.get(name)
        if not equals and implied is None and rest and not _OPTION.match(rest[0]):
            value = rest.pop(0)
        elif not equals:
            value = implied or ""
        if not value:
            raise _without_value(typed, option)
        if name in named:
            raise UsageError(f"{typed} is given twice", "Remove one of the two.")
        named[name] = value
    return named, placed


def _known_name(command: Command, typed: str) -> tuple[str, str | None]:
    """The option a word names, and the value that it implies: ``--json`` true, ``--no-json`` false."""
    name = typed[2:].replace("-", "_") if typed.startswith("--") else _SHORT.get(typed, "")
    if keyword.iskeyword(name):
        name += "_"
    if name in command.options:
        return name, "true" if command.options[name].kind is FLAG else None
    positive = name.removeprefix("no_")
    if positive != name and positive in command.options and command.options[positive].kind is FLAG:
        return positive, "false"
    if command.takes_settings and name:
        from tflite_compress.cli.recipe_settings import flag_names, setting_names

        if name in flag_names():
            return name, "true"
        if name in setting_names():
            return name, None
        if positive != name and positive in flag_names():
            return positive, "false"
    raise unknown_option(command, typed)


def _without_value(typed: str, option: Option | None) -> UsageError:
    if option is None:
        return UsageError(f"{typed}: the value is missing", f"Write {typed}=VALUE.")
    return UsageError(
        f"{option.flag}: expected {option.kind.expected}", f"For example {option.flag}={option.kind.example}."
    )


def _require_places(command: Command, placed: Sequence[str]) -> None:
    """Refuse too few or too many positional arguments."""
    required = [n for n in command.positional if command.parameters[n][0].default is inspect.Parameter.empty]
    if len(placed) < len(required):
        raise UsageError(f"{required[len(placed)].upper()} is missing", f"For example: {command.example}")
    if command.variadic is None and len(placed) > len(command.positional):
        extra = " ".join(placed[len(command.positional) :])
        hint = f"'tflite-compress {command.name} --help' shows the usage."
        raise UsageError(f"unexpected argument: {extra}", hint)


def _reader(label: str, kind: Kind) -> Callable[[str], object]:
    """How fire reads a value; a text that is not one is refused with an example."""

    def read(text: str) -> object:
        try:
            return kind.read(text)
        except UnclearValueError as error:
            readings = " or ".join(f"{label}={reading}" for reading in error.readings)
            raise UsageError(f"{label}={text}: {error.message}", f"Write {readings}.") from error
        except (ValueError, KeyError) as error:
            shown, example = (f"{label}={text}", f"{label}={kind.example}")
            if not label.startswith("--"):
                shown, example = text, kind.example
            guess = closest(text.split(",")[-1], list(kind.choices))
            message = f"{shown}: expected {kind.expected}{'.' if guess else ''}{guess}"
            raise UsageError(message, f"For example {example}.") from error

    return read


def _bound_by_fire(command: Command, words: list[str]) -> Bound:
    """Let fire bind words to the command's parameters and read their values."""
    import fire
    from fire import decorators, parser

    def bind(*placed: object, **options: object) -> Bound:
        return {_PLACED: placed, **options}

    kinds = inspect.Parameter
    parameters = [kinds(n, kinds.POSITIONAL_OR_KEYWORD, default=None) for n in command.positional]
    places = [_reader(n.upper(), kind) for n, kind in command.positional.items()]
    readers = {o.name: _reader(o.flag, o.kind) for o in command.options.values()}
    default = parser.DefaultParseValue
    if command.variadic is not None:
        parameters.append(kinds(command.variadic[0], kinds.VAR_POSITIONAL))
        default = _reader(command.variadic[0].upper(), command.variadic[1])
    parameters += [kinds(n, kinds.KEYWORD_ONLY, default=o.default) for n, o in command.options.items()]
    if command.takes_settings:
        parameters.append(kinds("settings", kinds.VAR_KEYWORD))
    bind.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    decorators.SetParseFns(*places, **readers)(decorators.SetParseFn(default)(bind))
    bound: Bound = fire.Fire(bind, command=words, name="tflite-compress", serialize=lambda _: None)
    return bound


def _setting(value: object) -> object:
    """A recipe's setting as TOML would give it: commas separate the items of a list, 60% is 0.6."""
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?%", value):
        return float(value[:-1]) / 100
    if isinstance(value, str) and "," in value:
        return [part.strip() for part in value.split(",")]
    return list(value) if isinstance(value, tuple) else value


def _sources(command: Command, bound: Bound, named: Mapping[str, str]) -> Bound:
    """The data sources that were named, with the settings for reading them that were given."""
    sources = {name: str(bound[name]) for name in command.sources if name in named}
    settings = {name: bound[name] for name in named if name in command.source_settings}
    return dict(with_settings(sources, settings)) if settings else {}


def _call(command: Command, bound: Bound, settings: dict[str, object], asked: str) -> int:
    """Run the command with its options in their dataclasses."""

    def filled(group: type) -> object:
        return group(**{o.name: bound[o.name] for o in options_of(group) if o.name in bound})

    groups = {name: filled(group) for name, group in command.groups.items()}
    extra = {n: asked for n, (_, hint) in command.parameters.items() if hint is AskedFor}
    placed, log = bound[_PLACED], filled(LogOptions)
    assert isinstance(placed, tuple) and isinstance(log, LogOptions)
    with logged(log, asked):
        return command.function(*placed, **groups, **extra, **settings)

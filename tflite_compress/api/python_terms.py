"""Options of the command line in error messages, written as Python arguments."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import cache

import msgspec

from tflite_compress import api
from tflite_compress.data.file_source import all_kinds, settings_of
from tflite_compress.support.errors import CompressError

# Options whose Python parameter has another name. All others differ in hyphens only.
_PARAMETERS = {
    "eval": "evaluate",
    "max-flash": "max_flash_bytes",
    "max-ram": "max_ram_bytes",
    "time-budget": "time_budget_seconds",
}
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9_.-]*[a-z0-9])(=(?:[^\s,;:)]*[^\s,;:.)])?)?")


def speak_python(error: CompressError) -> None:
    """Rewrite the message and the hint of an error in place."""
    error.message = in_python(error.message)
    error.hint = in_python(error.hint) if error.hint else None
    error.args = (error.message,)


def in_python(text: str) -> str:
    """Return a message with command-line options written as Python arguments.

    Options of functions and settings of data sources become arguments, settings of passes become
    ``overrides``. An option that exists only on the command line stays as it is.

    Examples:
        >>> in_python("--max-drop=-1: expected 0 or more")
        'max_drop=-1: expected 0 or more'
        >>> in_python("Give --data=FILE.npz, or --no-bundle.")
        'Give data="FILE.npz", or bundle=False.'
        >>> in_python("Lower the learning rate, for example --learning-rate=0.0003.")
        'Lower the learning rate, for example overrides={"learning_rate": 0.0003}.'
        >>> in_python("If you trust the source of the model, pass --trust-model.")
        'If you trust the source of the model, pass trust_model=True.'
        >>> in_python("Choose another --storage.")
        'Choose another --storage.'
    """
    return _OPTION.sub(_argument, text)


def _argument(match: re.Match[str]) -> str:
    option, value = match[1], (match[2] or "")[1:]
    name = _PARAMETERS.get(option, option.replace("-", "_"))
    positive = name.removeprefix("no_")
    if name in _parameters():
        value = _in_units(name, value)
        is_flag = _parameters()[name] is False and not value
        return f"{name}={_literal(value)}" if value else f"{name}=True" if is_flag else name
    if positive in _parameters() and not value:
        return f"{positive}=False"
    if name in _source_settings():
        return f"{name}={_literal(value)}" if value else name
    if name.rpartition(".")[2] in _settings():
        return f'overrides={{"{name}": {_literal(value)}}}' if value else f'overrides["{name}"]'
    return match[0]


def _in_units(name: str, value: str) -> str:
    """Return a time as seconds for a parameter in seconds: ``30m`` as ``1800``."""
    match = re.fullmatch(r"(\d+)([smh])", value)
    if match is None or not name.endswith("_seconds"):
        return value
    return str(int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]])


def _literal(value: str) -> str:
    if value in ("true", "false"):
        return value.capitalize()
    return value if re.fullmatch(r"[-+]?[\d._e]+|True|False|None", value) else f'"{value}"'


@cache
def _parameters() -> dict[str, object]:
    """Return the default of each parameter of the public functions, by name."""
    names = [f"{api.__name__}.{module.name}" for module in pkgutil.iter_modules(api.__path__)]
    members = [m for name in names for m in inspect.getmembers(importlib.import_module(name))]
    functions = [f for name, f in members if inspect.isfunction(f) and not name.startswith("_")]
    parameters = [inspect.signature(f).parameters for f in functions if f.__module__ in names]
    return {name: parameter.default for found in parameters for name, parameter in found.items()}


@cache
def _source_settings() -> frozenset[str]:
    """Return the names of all settings of data sources, which are arguments of their classes."""
    return frozenset(field.name for kind in all_kinds() for field in settings_of(kind))


@cache
def _settings() -> frozenset[str]:
    """Return the names of all settings of passes, those in tables included."""
    from tflite_compress.passes import all_passes

    return frozenset(name for kind in all_passes().values() for name in _names(kind))


def _names(kind: type[msgspec.Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        yield field.name
        if isinstance(field.default, msgspec.Struct):
            yield from _names(type(field.default))

"""Types of option values: how each is written in help and read from text.

An annotation such as ``Bytes`` or ``Literal["cpu", "gpu"]`` on a field or parameter decides both.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Union, get_args, get_origin

from tflite_compress.support.errors import UsageError
from tflite_compress.support.input_shape import parse_input_shape

_BYTE_UNITS = {"": 1, "b": 1, "kb": 1 << 10, "kib": 1 << 10, "mb": 1 << 20, "mib": 1 << 20}
_BYTE_UNITS |= {"gb": 1 << 30, "gib": 1 << 30}
_TIME_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


@dataclass(frozen=True)
class Kind:
    """One type of value.

    Attributes:
        shown: Placeholder in help, for example ``SIZE``.
        expected: What a valid value is, for messages.
        example: A valid value.
        read: Returns the value of a text; raises ``ValueError`` if the text is not one.
        choices: The words that are valid, if only some are.
    """

    shown: str
    expected: str
    example: str
    read: Callable[[str], object]
    choices: tuple[str, ...] = ()


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _at_least(minimum: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < minimum:
            raise ValueError
        return int(text)

    return read


def _number(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def _quantity(units: dict[str, int]) -> Callable[[str], float]:
    def read(text: str) -> float:
        match = _QUANTITY.fullmatch(text)
        if match is None:
            raise ValueError
        return float(match.group(1)) * units[match.group(2).lower()]

    return read


def _bytes(text: str) -> int:
    return int(_quantity(_BYTE_UNITS)(text))


def _listed(read: Callable[[str], object], unique: bool = True) -> Callable[[str], object]:
    """Read values separated by commas; where they are to be unique, repeated ones count once."""

    def read_all(text: str) -> tuple[object, ...]:
        values = tuple(read(part.strip()) for part in text.split(",") if part.strip())
        if not values:
            raise ValueError
        return tuple(dict.fromkeys(values)) if unique else values

    return read_all


def _one_of(choices: tuple[str, ...], functions: bool = False) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices and not (functions and re.fullmatch(r"[^:]+:[^:]+", text)):
            raise ValueError
        return text

    return read


def _one_name(text: str) -> str:
    if not text or "," in text:
        raise ValueError
    return text


def choice(choices: tuple[str, ...]) -> Kind:
    """Return the kind of a value that is one of some words."""
    return Kind("|".join(choices), f"one of {', '.join(choices)}", choices[0], _one_of(choices), choices)


def choice_or_function(*choices: str) -> Kind:
    """Return the kind of a word out of some, or a Python function as ``module:function``."""
    expected = f"one of {', '.join(choices)}, or module:function"
    return Kind("NAME", expected, choices[0], _one_of(choices, functions=True), choices)


def choices_listed(*choices: str) -> Kind:
    """Return the kind of several words out of some, separated by commas."""
    shown = ",".join(choices[:2])
    return Kind(
        "NAME,...", f"any of {', '.join(choices)}", shown, _listed(_one_of(choices), unique=False), choices
    )


def _input_shape(text: str) -> str:
    try:
        parse_input_shape(text)
    except UsageError as error:
        raise ValueError from error
    return text


TEXT = Kind("TEXT", "text", "name", _text)
FLAG = Kind("true|false", "true or false", "true", _flag)
NUMBER = Kind("NUMBER", "a number from 0", "0.9", _number)
COUNT = Kind("N", "a whole number from 1", "4", _at_least(1))

Count = Annotated[int, COUNT]
Seed = Annotated[int, Kind("N", "a whole number from 0", "1", _at_least(0))]
Number = Annotated[float, NUMBER]
Bytes = Annotated[int, Kind("SIZE", "a size", "256KB", _bytes)]
Seconds = Annotated[float, Kind("TIME", "a time", "30m", _quantity(_TIME_UNITS))]
Counts = Annotated[
    tuple[int, ...], Kind("N,...", "a whole number from 1, or several", "1,2", _listed(_at_least(1)))
]
Words = Annotated[tuple[str, ...], Kind("NAME,...", "one or several names", "litert,tflm", _listed(_text))]
DeviceName = Annotated[str, Kind("NAME", "one device", "rp2040", _one_name)]
DeviceNames = Annotated[tuple[str, ...], Kind("NAME,...", "one or several devices", "rp2040", _listed(_text))]
File = Annotated[str, Kind("FILE", "a file", "result.json", _text)]
Folder = Annotated[str, Kind("DIR", "a folder", "result", _text)]
InputShape = Annotated[
    str,
    Kind("SIZES", "sizes without the batch (for several inputs NAME=SIZES,...)", "224x224x3", _input_shape),
]
Source = Annotated[str, Kind("SOURCE", "a data source", "data.npz", _text)]
_PLAIN = {str: TEXT, bool: FLAG, int: COUNT, float: NUMBER}


def kind_of(annotation: object) -> Kind:
    """Return how values of an annotated type are written and read.

    Args:
        annotation: A type from this module, a ``Literal`` of words, ``str``, ``bool``, ``int`` or ``float``,
            or one of these or None.

    Raises:
        TypeError: Values of that type cannot be written on a command line.
    """
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is Annotated:
        kind = get_args(annotation)[1]
        if isinstance(kind, Kind):
            return kind
    if get_origin(annotation) is Literal:
        return choice(get_args(annotation))
    if isinstance(annotation, type) and annotation in _PLAIN:
        return _PLAIN[annotation]
    raise TypeError(f"no option can have the type {annotation!r}")

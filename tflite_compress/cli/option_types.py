"""Types of option values: how each is written in help and read from text.

An annotation such as ``Bytes`` or ``Literal["cpu", "gpu"]`` on a field or parameter decides both.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Union, get_args, get_origin

from tflite_compress.data.file_source import FileSource
from tflite_compress.support.errors import UsageError
from tflite_compress.support.input_shape import parse_input_shape

_BYTE_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_BYTE_UNITS |= {"k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "g": 1 << 30, "gib": 1 << 30}
_TIME_UNITS = {"s": 1, "m": 60, "h": 3600}
_SHARE_UNITS = ("%", "pt", "pts", "pp", "point", "points")
_IMAGES = (".svg", ".png")
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z%]*)\s*")


class UnclearValueError(ValueError):
    """A value that can be read in several ways.

    Args:
        message: What is not clear.
        *readings: Values that state what may be meant.
    """

    def __init__(self, message: str, *readings: str) -> None:
        super().__init__(message)
        self.message, self.readings = message, readings


@dataclass(frozen=True)
class Kind:
    """One type of value.

    Attributes:
        shown: Placeholder in help, for example ``SIZE``.
        expected: What a valid value is, for messages.
        example: A valid value.
        read: Returns the value of a text; raises ``ValueError`` if the text is not one.
        choices: The words that are valid, if only some are.
        completes: What a shell completes a value with besides ``choices``.
        is_list: True for several values separated by commas.
    """

    shown: str
    expected: str
    example: str
    read: Callable[[str], object]
    choices: tuple[str, ...] = ()
    completes: Literal["nothing", "files", "devices", "recipes"] = "nothing"
    is_list: bool = False


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


def _quantity(units: dict[str, int], *usual: str) -> Callable[[str], float]:
    """Read a number with a unit. Without one, ask for one of the usual units."""

    def read(text: str) -> float:
        match = _QUANTITY.fullmatch(text)
        if match is None:
            raise ValueError
        number, unit = match.groups()
        if not unit:
            raise UnclearValueError("the unit is missing", *(f"{number}{name}" for name in usual))
        return float(number) * units[unit.lower()]

    return read


def _bytes(text: str) -> int:
    return int(_quantity(_BYTE_UNITS, "KB", "B")(text))


def _seconds(text: str) -> float:
    """Read a time for an option that is named after its unit."""
    return _number(text) if _is_plain(text) else _quantity(_TIME_UNITS)(text)


def _is_plain(text: str) -> bool:
    match = _QUANTITY.fullmatch(text)
    return match is not None and not match.group(2)


def _share(text: str) -> float:
    """Read ``1%``, ``0.5pt`` or ``0.01`` as a share."""
    match = _QUANTITY.fullmatch(text)
    if match is None or not match.group(2):
        return _number(text)
    if match.group(2).lower() not in _SHARE_UNITS:
        raise ValueError
    return float(match.group(1)) / 100


def _drop(text: str) -> float:
    value = _share(text)
    if _is_plain(text) and value >= 1:
        number = text.strip()
        raise UnclearValueError(f"{number} % or {100 * value:g} %?", f"{number}%", f"{100 * value:g}%")
    return value


def _confidence(text: str) -> float:
    value = _share(text)
    if not 0.5 <= value < 1:
        raise ValueError
    return value


def _drawing(text: str) -> str:
    if not text.lower().endswith(_IMAGES):
        raise ValueError
    return text


def _page(text: str) -> str:
    if not text.lower().endswith((".html", ".htm")):
        raise ValueError
    return text


def is_png(path: str) -> bool:
    """Return True for the name of a PNG file, False for that of an SVG file."""
    return path.lower().endswith(".png")


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
        "NAME,...",
        f"any of {', '.join(choices)}",
        shown,
        _listed(_one_of(choices), unique=False),
        choices,
        is_list=True,
    )


def choices_joined(*choices: str) -> Kind:
    """Return the kind of one or several words out of some, separated by commas, that stay one text."""
    read = _listed(_one_of(choices), unique=False)
    kind = choices_listed(*choices)
    return Kind(kind.shown, kind.expected, choices[0], lambda text: read(text) and text, choices)


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
Share = Annotated[float, Kind("SHARE", "a number from 0, or a percentage", "0.9", _share)]
Drop = Annotated[float, Kind("DROP", "a number from 0, a percentage, or points as in 0.5pt", "0.5pt", _drop)]
Confidence = Annotated[
    float, Kind("LEVEL", "a number from 0.5 to below 1, or a percentage", "0.95", _confidence)
]
Bytes = Annotated[int, Kind("SIZE", "a size with a unit (B, KB, MB, GB)", "256KB", _bytes)]
Duration = Annotated[
    float, Kind("TIME", "a time with a unit (s, m, h)", "30m", _quantity(_TIME_UNITS, "m", "s", "h"))
]
Seconds = Annotated[float, Kind("TIME", "a time in seconds, or with a unit (s, m, h)", "30s", _seconds)]
Counts = Annotated[
    tuple[int, ...], Kind("N,...", "a whole number from 1, or several", "1,2", _listed(_at_least(1)))
]
WORDS = Kind("NAME,...", "one or several names", "a,b", _listed(_text))
Words = Annotated[tuple[str, ...], Kind("NAME,...", "one or several names", "litert,tflm", _listed(_text))]
DeviceName = Annotated[str, Kind("NAME", "one device", "rp2040", _one_name, completes="devices")]
DeviceNames = Annotated[
    tuple[str, ...],
    Kind("NAME,...", "one or several devices", "rp2040", _listed(_text), completes="devices", is_list=True),
]
RecipeName = Annotated[str, Kind("NAME", "one recipe", "int8", _one_name, completes="recipes")]
Drawing = Annotated[
    str, Kind("FILE", "a file that ends in .svg or .png", "graph.svg", _drawing, completes="files")
]
PageFile = Annotated[str, Kind("FILE", "a file that ends in .html", "page.html", _page, completes="files")]
File = Annotated[str, Kind("FILE", "a file", "result.json", _text, completes="files")]
Folder = Annotated[str, Kind("DIR", "a folder", "result", _text, completes="files")]
InputShape = Annotated[
    str,
    Kind("SIZES", "sizes without the batch (for several inputs NAME=SIZES,...)", "224x224x3", _input_shape),
]
SOURCE = Kind("SOURCE", "a data source", "data.npz", _text, completes="files")
Source = Annotated[str | FileSource, SOURCE]
_PLAIN = {str: TEXT, bool: FLAG, int: COUNT, float: NUMBER, tuple[str, ...]: WORDS}


def kind_of(annotation: object) -> Kind:
    """Return how values of an annotated type are written and read.

    Args:
        annotation: A type from this module, a ``Literal`` of words, ``str``, ``bool``, ``int``, ``float`` or
            ``tuple[str, ...]``, also with a range of msgspec; or one of these or None. Of several types the
            last counts, which is to be the most general.

    Raises:
        TypeError: Values of that type cannot be written on a command line.
    """
    if get_origin(annotation) in (Union, types.UnionType):
        *_, annotation = (part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is Annotated:
        plain, kind, *_ = get_args(annotation)
        return kind if isinstance(kind, Kind) else kind_of(plain)
    if get_origin(annotation) is Literal:
        return choice(get_args(annotation))
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    raise TypeError(f"no option can have the type {annotation!r}")

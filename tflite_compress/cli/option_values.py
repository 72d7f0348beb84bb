"""Reading what fire makes of a command line's words."""

from __future__ import annotations

import inspect
import re
import shlex
from typing import Any

from tflite_compress.support.errors import UsageError

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1024,
    "kib": 1024,
    "mb": 1024**2,
    "mib": 1024**2,
    "gb": 1024**3,
    "gib": 1024**3,
}


def quietly(work: Any) -> Any:
    """Run work with progress bars on the terminal and native log noise kept off it."""
    from tflite_compress.support.backend import native_noise_captured
    from tflite_compress.support.progress import Terminal

    with native_noise_captured():
        return work(Terminal())


def refuse_extra(extra: tuple[Any, ...]) -> None:
    """Refuse words that belong to no option."""
    if extra:
        raise UsageError(f"unexpected: {' '.join(map(str, extra))}", "Options start with two dashes.")


def names_of(device: Any) -> list[str]:
    """Device names from ``a``, ``a,b`` or what fire made of it."""
    if device is None:
        device = ""
    parts = device if isinstance(device, list | tuple) else str(device).split(",")
    names = list(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))
    if not names or device is True:
        raise UsageError("--device: no device named", "'tflite-compress devices' lists them.")
    return names


def sources_of(data: Any, train: Any, calibrate: Any, evaluate: Any) -> dict[str, Any]:
    """Where data comes from, as a ``DataSpec`` names it."""
    given = {"data": data, "train": train, "calibrate": calibrate, "evaluate": evaluate}
    return {kind: text(source) for kind, source in given.items()}


def flag(value: Any, name: str) -> bool:
    """True or false as given: ``--name``, ``--name=false``, ``--noname``."""
    if isinstance(value, bool) or str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise UsageError(f"--{name}={value}: expected true or false", f"Write --{name} or leave it out.")


def text(value: Any) -> str | None:
    """Undo fire's reading of values as Python: paths and names are text."""
    return None if value is None else str(value)


def plain_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Lists instead of the tuples fire makes."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in settings.items()}


def bytes_of(value: Any, name: str) -> int | None:
    """Bytes from ``262144``, ``256KB`` or ``1.5MB`` (powers of 1024)."""
    if value is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(value))
    if match is None or match.group(2).lower() not in _UNITS:
        raise UsageError(f"--{name}={value}: expected a size", f"For example --{name}=256KB.")
    return int(float(match.group(1)) * _UNITS[match.group(2).lower()])


def command_line(command: Any, given: dict[str, Any]) -> str:
    """The command line that asks for the same again, with the options that differ from their defaults.

    Args:
        command: The command's function, whose first parameter is the model.
        given: Its arguments by name; ``settings`` holds those of the recipe.
    """
    words = ["tflite-compress", command.__name__]
    for name, parameter in inspect.signature(command).parameters.items():
        value = given[name]
        if parameter.kind is parameter.VAR_KEYWORD:
            words += [_option(key, setting) for key, setting in value.items()]
        elif parameter.kind is parameter.KEYWORD_ONLY and value != parameter.default:
            words.append(_option(name, value))
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and value is not None:
            words.append(str(value))
    return shlex.join(words)


def _option(name: str, value: Any) -> str:
    shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if isinstance(value, bool):
        shown = shown.lower()
    return f"--{name.replace('_', '-')}={shown}"


def seconds_of(value: Any, name: str) -> float:
    """Seconds from ``90``, ``90s``, ``30m`` or ``1.5h``."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", str(value))
    if match is None:
        raise UsageError(f"--{name}={value}: expected a time", f"For example --{name}=30m.")
    return float(match.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600}[match.group(2)]


def words_of(value: Any, name: str) -> tuple[str, ...]:
    """Words from ``a,b`` or what fire made of it."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    words = tuple(str(part).strip() for part in parts if str(part).strip())
    if not words or value is True:
        raise UsageError(f"--{name}: nothing named", f"For example --{name}=size,latency.")
    return words

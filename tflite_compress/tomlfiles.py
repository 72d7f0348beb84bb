"""Typed TOML files: bundled ones by name, users' own by path, mistakes by file and key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tflite_compress.errors import ConfigError, closest

T = TypeVar("T")
_PACKAGE = Path(__file__).parent


def bundled_folder(kind: str) -> Path:
    """The folder of bundled ``devices`` or ``recipes``: inside an installed wheel, or the checkout's."""
    installed = _PACKAGE / "_bundled" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def bundled_names(kind: str) -> list[str]:
    """Names of the bundled files of a kind, sorted."""
    return sorted(path.stem for path in bundled_folder(kind).glob("*.toml"))


def find(kind: str, name: str) -> Path:
    """The file a user means: a path to a TOML file, or the name of a bundled one.

    Raises:
        ConfigError: There is neither; says what there is.
    """
    path = Path(name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise ConfigError(f"{name}: no such file", f"Give the path of a TOML file, or a name from '{kind}'.")
    bundled = bundled_folder(kind) / f"{name}.toml"
    if bundled.is_file():
        return bundled
    known = bundled_names(kind)
    raise ConfigError(
        f"no {kind[:-1]} is called '{name}'.{closest(name, known)}",
        f"'tflite-compress {kind}' lists them; your own goes in by its path, {name}.toml.",
    )


def read(path: Path, into: type[T]) -> T:
    """Read a TOML file into a typed value.

    Raises:
        ConfigError: Naming the file, the key, and what was expected.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", "Correct the file.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error
    return typed(values, into, str(path))


def typed(values: Any, into: type[T], where: str) -> T:
    """Check plain values against a type.

    Raises:
        ConfigError: Naming ``where``, the key, and what was expected.
    """
    try:
        return msgspec.convert(values, into)
    except msgspec.ValidationError as error:
        message, _, key = str(error).partition(" - at `$")
        key = key.rstrip("`").lstrip(".")
        raise ConfigError(
            f"{where}: {key + ': ' if key else ''}{message[0].lower()}{message[1:]}", "Correct that key."
        ) from error

"""Read TOML files into typed values; errors name the file and the key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from tflite_compress.support.errors import ConfigError, closest, spelled

T = TypeVar("T")
# Names become parts of file names: no separators, no leading dot.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
MAX_BYTES, LONGEST_LINE = 1 << 18, 4000  # tomllib's time grows with the square of a dotted key's length
_PACKAGE = Path(__file__).parent.parent


def bundled_folder(kind: str) -> Path:
    """Return the folder of bundled ``devices`` or ``recipes``, in an installed wheel or a checkout."""
    installed = _PACKAGE / "_bundled" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def bundled_names(kind: str) -> list[str]:
    """Return the names of the bundled ``devices`` or ``recipes``, sorted."""
    return sorted(path.stem for path in bundled_folder(kind).glob("*.toml"))


def find(kind: str, name: str, aliases: Callable[[], Mapping[str, str]] = dict) -> Path:
    """Return the path of a TOML file.

    Args:
        kind: ``devices`` or ``recipes``.
        name: Name or alias of a bundled file, or path of a TOML file. Case and hyphens of names do not
            count.
        aliases: Returns names of bundled files by alias; called only if no file has the name.

    Raises:
        ConfigError: There is no such file.
    """
    path = Path(name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise ConfigError(
            f"{name}: no such file", f"'tflite-compress {kind}' lists the names that need no file."
        )
    known = bundled_names(kind)
    named = {spelled(own): own for own in known}
    if spelled(name) not in named:
        named |= {spelled(alias): own for alias, own in aliases().items()}
    if spelled(name) in named:
        return bundled_folder(kind) / f"{named[spelled(name)]}.toml"
    raise ConfigError(
        f"no {kind[:-1]} is called '{name}'.{closest(name, known) or closest(name, aliases())}",
        f"'tflite-compress {kind}' lists them; give the path of your own file, for example {name}.toml.",
    )


def read(path: Path, into: type[T]) -> T:
    """Read a TOML file into a typed value.

    Raises:
        ConfigError: Naming the file, the key, and what was expected.
    """
    return typed(read_toml(path), into, str(path))


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file into plain values.

    Raises:
        ConfigError: The file is too large, cannot be read, or is not valid TOML.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES:,} bytes", "Give a recipe or device profile.")
        if max(map(len, content.splitlines()), default=0) > LONGEST_LINE:
            raise ConfigError(f"{path}: has a line of more than {LONGEST_LINE:,} bytes", "Break it up.")
        return tomllib.loads(content.decode())
    except RecursionError as error:
        raise ConfigError(f"{path}: not valid TOML: nested too deeply", "Correct the file.") from error
    except ValueError as error:  # also of numbers with more digits than Python converts
        raise ConfigError(f"{path}: not valid TOML: {error}", "Correct the file.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})", "Check the path.") from error


def typed(values: object, into: type[T], where: str) -> T:
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

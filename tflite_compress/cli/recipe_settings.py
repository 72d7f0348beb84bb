"""Settings of recipes as options of the command line."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator

import msgspec

from tflite_compress.passes import all_passes


@functools.cache
def setting_names() -> frozenset[str]:
    """Return every setting of every pass, by itself (``epochs``) and with its pass (``prune.epochs``)."""
    return frozenset(name for name, _ in _spelled())


@functools.cache
def flag_names() -> frozenset[str]:
    """Return the settings that are true or false in every pass that has them."""
    return setting_names() - {name for name, kind in _spelled() if kind is not bool}


def _spelled() -> Iterator[tuple[str, object]]:
    """Each way to write each setting of each pass, with the setting's type."""
    for tag, table in all_passes().items():
        for name, kind in _settings(table):
            yield name, kind
            yield f"{tag}.{name}", kind


def _settings(table: type[msgspec.Struct]) -> Iterator[tuple[str, object]]:
    """The settings of a struct, and those of the structs that are settings of it."""
    for field in msgspec.structs.fields(table):
        yield field.name, field.type
        if inspect.isclass(field.type) and issubclass(field.type, msgspec.Struct):
            yield from _settings(field.type)

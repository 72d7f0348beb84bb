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
    names = ((tag, name) for tag, kind in all_passes().items() for name in _names(kind))
    return frozenset(spelled for tag, name in names for spelled in (name, f"{tag}.{name}"))


def _names(table: type[msgspec.Struct]) -> Iterator[str]:
    """The settings of a struct, and those of the structs that are settings of it."""
    for field in msgspec.structs.fields(table):
        yield field.name
        if inspect.isclass(field.type) and issubclass(field.type, msgspec.Struct):
            yield from _names(field.type)

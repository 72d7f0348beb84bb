"""Options of data sources: the settings of every kind of file and folder that can be read."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import Field, field, make_dataclass
from typing import get_type_hints

from tflite_compress.data.file_source import FileSource, all_kinds, settings_of
from tflite_compress.support.docstrings import attribute_meanings

SHARED_HEADING = "Several kinds of data"


@functools.cache
def source_groups() -> tuple[type, ...]:
    """Return one dataclass of options per kind of source, and one of those that several kinds have."""
    kinds = all_kinds()
    counts = Counter(f.name for kind in kinds for f in settings_of(kind))
    shared = {name for name, count in counts.items() if count > 1}
    owners = {f.name: kind for kind in reversed(kinds) for f in settings_of(kind)}
    groups = {kind.heading: [f for f in settings_of(kind) if f.name not in shared] for kind in kinds}
    groups[SHARED_HEADING] = [f for f in _fields_of(owners) if f.name in shared]
    return tuple(_group(heading, fields, owners) for heading, fields in groups.items() if fields)


def _fields_of(owners: Mapping[str, type[FileSource]]) -> list[Field[object]]:
    return [field for name, kind in owners.items() for field in settings_of(kind) if field.name == name]


def _group(heading: str, fields: list[Field[object]], owners: Mapping[str, type[FileSource]]) -> type:
    """Return a dataclass of options, whose docstring has what the kind's says about its settings."""
    meanings = {f.name: attribute_meanings(owners[f.name])[f.name] for f in fields}
    lines = "".join(f"    {name}: {text}\n" for name, text in meanings.items())
    types = {f.name: get_type_hints(owners[f.name], include_extras=True)[f.name] for f in fields}
    entries = [(f.name, types[f.name], field(default=f.default)) for f in fields]
    text = f"{heading}.\n\nAttributes:\n{lines}"
    return make_dataclass("SourceSettings", entries, frozen=True, namespace={"__doc__": text})

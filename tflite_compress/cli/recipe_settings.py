"""Settings of recipes as options of the command line."""

from __future__ import annotations

import functools

import msgspec

from tflite_compress.passes import all_passes


@functools.cache
def setting_names() -> frozenset[str]:
    """Return every setting of every pass, by itself (``epochs``) and with its pass (``prune.epochs``)."""
    names = set()
    for tag, kind in all_passes().items():
        tables = [
            kind(),
            *(v for v in msgspec.structs.asdict(kind()).values() if isinstance(v, msgspec.Struct)),
        ]
        for field in (field for table in tables for field in msgspec.structs.fields(table)):
            names |= {field.name, f"{tag}.{field.name}"}
    return frozenset(names)

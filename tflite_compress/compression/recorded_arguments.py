"""Arguments of a run in its manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tflite_compress.compression.options import Options
from tflite_compress.data.file_source import FileSource, source_from
from tflite_compress.data.gather import DataSpec
from tflite_compress.models.source import Source


def recorded_arguments(source: Source, spec: DataSpec, options: Options, was_cut: bool) -> dict[str, object]:
    """Return a run's arguments for the manifest.

    Python objects are only named, as not repeatable. A run that its time budget cut short is not repeatable
    either, because another run gets further, or less far.

    Args:
        source: The model.
        spec: The data.
        options: The run's settings.
        was_cut: True if the time budget ended the run early.
    """
    from_python = [
        name
        for name, value in [
            *vars(spec).items(),
            *((name, getattr(options, name)) for name in ("custom_objects", "metric", "loss")),
        ]
        if value is not None and not isinstance(value, str | bool | int | float | os.PathLike | FileSource)
    ]
    if source.origin.startswith("<"):
        from_python.append("model")
    data = {name: _recorded(value) for name, value in vars(spec).items() if name not in from_python}
    transient = ("resume", "time_budget_seconds", "forecast")  # the recipe is recorded as run
    settings = {k: v for k, v in asdict(options).items() if k not in (*from_python, *transient)}
    return {
        "data": data,
        "options": settings,
        "not_repeatable": ", ".join(from_python),
        "time_budget_used": was_cut,
    }


def _recorded(value: object) -> object:
    if isinstance(value, FileSource):
        return value.as_record()
    return str(value) if isinstance(value, os.PathLike) else value


def recorded_spec(record: Mapping[str, Any]) -> DataSpec:
    """Return the data sources of a run from its manifest.

    Args:
        record: ``data`` of what :func:`recorded_arguments` returned.

    Raises:
        UsageError: A recorded source cannot be read.
    """
    values: dict[str, Any] = {k: source_from(v) if isinstance(v, Mapping) else v for k, v in record.items()}
    return DataSpec(**values)

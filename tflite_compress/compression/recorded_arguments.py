"""Arguments of a run in its manifest."""

from __future__ import annotations

import os
from dataclasses import asdict

from tflite_compress.compression.options import Options
from tflite_compress.data.gather import DataSpec
from tflite_compress.models.source import Source


def recorded_arguments(source: Source, spec: DataSpec, options: Options) -> dict[str, object]:
    """Return a run's arguments for the manifest. Python objects are only named, as not repeatable."""
    from_python = [
        name
        for name, value in [
            *vars(spec).items(),
            *((name, getattr(options, name)) for name in ("custom_objects", "metric", "loss")),
        ]
        if value is not None and not isinstance(value, str | bool | int | float | os.PathLike)
    ]
    if source.origin.startswith("<"):
        from_python.append("model")
    data = {
        k: str(v) if isinstance(v, os.PathLike) else v for k, v in vars(spec).items() if k not in from_python
    }
    settings = {k: v for k, v in asdict(options).items() if k not in (*from_python, "resume")}
    return {"data": data, "options": settings, "not_repeatable": ", ".join(from_python)}

"""The argument of functions about a ``.tflite``: a path, or a model in memory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tflite_compress.api.tflite_model import TFLiteModel

TFLite = str | os.PathLike[str] | TFLiteModel


@contextlib.contextmanager
def opened_file(model: TFLite) -> Iterator[Path]:
    """Yield the path of a file; a model in memory is written to a temporary one."""
    if not isinstance(model, TFLiteModel):
        yield Path(model)
        return
    with tempfile.TemporaryDirectory(prefix="tflite-compress-") as folder:
        yield model.save(Path(folder) / file_name(model))


def file_name(model: TFLite) -> str:
    """Return the path of a file, or the name that a model in memory is saved under."""
    return f"{model.name}.tflite" if isinstance(model, TFLiteModel) else os.fspath(model)

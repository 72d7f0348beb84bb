"""Load a model from a file, a folder or a Keras object."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tflite_compress.models.keras_types import CustomObjects
from tflite_compress.models.read_model import (
    archive_config,
    h5_config,
    model_format,
    read_model,
    require_sound_saved_model,
)
from tflite_compress.models.sandboxed_load import is_suspicious, require_loadable
from tflite_compress.models.source import Source, source_from_object


def load_model(
    model: object,
    custom_objects: CustomObjects | None = None,
    trust: bool = False,
    custom_reference: str | None = None,
    cut: Sequence[str] = (),
) -> Source:
    """Load a ``.keras`` or ``.h5`` file or a SavedModel folder, or describe a Keras model object.

    Args:
        model: A path, or a model object of Keras 2 (tf_keras) or Keras 3.
        custom_objects: Classes and functions by the name the file uses for them.
        trust: Load Lambda layers and other code from the file.
        custom_reference: ``module:dict`` of the custom objects; None if they are Python objects.
        cut: Names of layers to cut off the start, such as layers that process text.

    Raises:
        ModelError: The file is missing, damaged, unsafe or not a model.
    """
    if not isinstance(model, str | os.PathLike):
        return source_from_object(model, cut)
    path = Path(model)
    if not trust and _needs_sandbox(path):
        require_loadable(path, custom_reference)
    return read_model(path, custom_objects or {}, trust, cut)


def _needs_sandbox(path: Path) -> bool:
    """Return True for SavedModels, and for configurations that allow far more weights than usual.

    Raises:
        ModelError: The file is damaged or unsafe, which its content shows before it is loaded.
    """
    kind = model_format(path)
    if kind == "saved_model":
        require_sound_saved_model(path)
        return True
    config = archive_config(path)[0] if kind == "keras" else h5_config(path)[0]
    return is_suspicious(config)

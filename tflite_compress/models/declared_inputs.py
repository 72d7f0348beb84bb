"""The inputs that a model file declares, read from its configuration without Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tflite_compress.models.network import TensorSpec
from tflite_compress.models.read_model import archive_config, h5_config, model_format


def declared_inputs(path: Path) -> tuple[TensorSpec, ...]:
    """Return the inputs of a Keras model file by its configuration.

    Args:
        path: A ``.keras`` or ``.h5`` file, or a SavedModel folder.

    Returns:
        The inputs; empty if the file does not declare their shapes, such as a SavedModel.

    Raises:
        ModelError: The file is missing, damaged, or not a Keras model.
    """
    kind = model_format(path)
    if kind == "saved_model":
        return ()
    config, _ = archive_config(path) if kind == "keras" else h5_config(path)
    return tuple(_inputs(config))


def _inputs(config: Mapping[str, object]) -> Iterator[TensorSpec]:
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, Mapping) else None
    if not isinstance(layers, list):
        return
    first_only = config.get("class_name") == "Sequential"
    for layer in layers[:1] if first_only else layers:
        settings = layer.get("config") if isinstance(layer, Mapping) else None
        if not isinstance(settings, Mapping) or (layer.get("class_name") != "InputLayer" and not first_only):
            continue
        shape = settings.get("batch_shape") or settings.get("batch_input_shape")
        if isinstance(shape, list | tuple) and all(size is None or isinstance(size, int) for size in shape):
            yield TensorSpec(str(settings.get("name")), tuple(shape), str(settings.get("dtype")))

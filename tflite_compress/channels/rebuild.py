"""Build the smaller model: every weight restricted to the channels that stay."""

from __future__ import annotations

import numpy as np

from tflite_compress.channels.dependencies import Dependencies, LayerChannels
from tflite_compress.models.copying import rebuild
from tflite_compress.models.keras_types import Config, KerasModel, Layer


def without_channels(model: KerasModel, dependencies: Dependencies, keep: np.ndarray) -> KerasModel:
    """Return a copy of a model without the channels of the removed groups.

    Args:
        model: The model that was traced; unchanged.
        dependencies: Its groups of channels.
        keep: bool, shape (groups,): False for groups to remove.

    Returns:
        A flat ``tf_keras.Model`` that shares no weights with ``model``.
    """
    by_layer = {id(found.layer): found for found in dependencies.layers}
    made: list[tuple[LayerChannels, Layer]] = []

    def smaller(layer: Layer) -> Layer:
        found = by_layer.get(id(layer))
        if found is None:
            # A copy, because a layer used at two widths has no single output shape.
            return (
                layer if layer.weights or not _plain(layer) else type(layer).from_config(layer.get_config())
            )
        stand_in = type(layer).from_config({**layer.get_config(), **_changes(found, dependencies, keep)})
        made.append((found, stand_in))
        return stand_in

    result = rebuild(model, smaller)
    for found, stand_in in made:
        stand_in.set_weights(cut_weights(found, dependencies, keep))
    return result


def cut_weights(found: LayerChannels, dependencies: Dependencies, keep: np.ndarray) -> list[np.ndarray]:
    """Return a layer's weights with only the channels that stay along every labelled axis."""
    weights = found.layer.get_weights()
    for index, axes in enumerate(found.weights):
        for axis in axes:
            weights[index] = np.take(weights[index], dependencies.kept(axis.labels, keep), axis=axis.number)
    return list(weights)


def _plain(layer: Layer) -> bool:
    """Return True for built-in layers of tf_keras that their configuration describes completely."""
    kind = type(layer).__name__
    return (
        type(layer).__module__.startswith("tf_keras.src.layers")
        and "Lambda" not in kind
        and kind != "Activation"
    )


def _changes(found: LayerChannels, dependencies: Dependencies, keep: np.ndarray) -> Config:
    """Return the new configuration entries for the layer's width."""
    if found.width is None:
        return {}
    width = len(dependencies.kept(found.width, keep))
    config = found.layer.get_config()
    if "target_shape" in config:
        return {"target_shape": (*config["target_shape"][:-1], width)}
    if config.get("groups", 1) > 1:
        return {"filters": width, "groups": width}
    return {next(key for key in ("filters", "units", "output_dim") if key in config): width}

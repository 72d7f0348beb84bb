"""Removing channels and checking the outcome against the definition, for any model."""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite_compress.channels.cost import costs
from tflite_compress.channels.dependencies import Dependencies, trace
from tflite_compress.channels.rebuild import without_channels
from tflite_compress.models.copying import copied
from tflite_compress.models.random_runs import random_inputs, structured_inputs


def shaken(model: Any) -> Any:
    """The model with every weight moved, so that forgotten ones show."""
    rng = np.random.default_rng(1)
    model.set_weights([w + rng.uniform(0, 0.1, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def without_share(model: Any, share: float) -> tuple[Any, Dependencies, np.ndarray]:
    """Remove that share of each family's groups."""
    dependencies = trace(model)
    keep = np.ones(dependencies.count, bool)
    for family in costs(dependencies, "int8").families:
        keep[family[: int(share * len(family))]] = False
    return without_channels(model, dependencies, keep), dependencies, keep


def with_readers_blind(model: Any, dependencies: Dependencies, keep: np.ndarray) -> Any:
    """The whole model, but nothing reads the removed channels: what removal must be equal to."""
    copy = copied(model)
    found = {layer.layer.name: layer for layer in dependencies.layers}
    for layer in copy.layers:
        weights = layer.get_weights()
        axes = (
            [(i, a) for i, own in enumerate(found[layer.name].weights) for a in own]
            if layer.name in found
            else []
        )
        for index, axis in axes:
            if axis.role == "in":
                gone = np.setdiff1d(np.arange(len(axis.labels)), dependencies.kept(axis.labels, keep))
                np.moveaxis(weights[index], axis.number, 0)[gone] = 0
        layer.set_weights(weights)
    return copy


def outputs(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """All outputs as arrays."""
    result = model(structured_inputs(model, inputs), training=False)
    return [np.asarray(y) for y in (result if isinstance(result, list | tuple) else [result])]


def counted_macs(model: Any) -> int:
    """MACs counted from the built layers alone: kernel entries times positions."""
    total = 0
    for layer in (layer for layer in model.layers if layer.weights):
        shape = layer.output_shape if isinstance(layer.output_shape, tuple) else layer.output_shape[0]
        positions = int(np.prod([d or 1 for d in shape[1:-1]], dtype=np.int64))
        total += positions * sum(int(np.prod(w.shape)) for w in layer.weights if len(w.shape) > 1)
    return total


def check_removal(model: Any, share: float = 0.3, exact: bool = True) -> tuple[Any, Dependencies]:
    """Remove channels and check shape, outputs and MACs."""
    smaller, dependencies, keep = without_share(model, share)
    inputs = random_inputs(model, seed=3)
    found = outputs(smaller, inputs)
    expected = outputs(with_readers_blind(model, dependencies, keep) if exact else model, inputs)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        if exact:
            assert np.allclose(a, b, rtol=1e-3, atol=1e-5 * max(1.0, float(np.abs(b).max())))
    return smaller, dependencies

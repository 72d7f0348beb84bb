"""Pairs of layers whose channels can be scaled against each other; see pass ``equalize``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_compress.models.keras_types import KerasModel, Layer
from tflite_compress.passes.algorithms.fold import scaled_inputs, scaled_outputs

SWEEPS = 4


LARGEST_FACTOR = 1e4


_PRODUCERS = ("Conv2D", "DepthwiseConv2D", "Dense", "Conv2DTranspose")


_CONSUMERS = ("Conv2D", "DepthwiseConv2D", "Dense", "Conv2DTranspose")


_HOMOGENEOUS = (
    "MaxPooling2D AveragePooling2D GlobalAveragePooling2D GlobalMaxPooling2D ZeroPadding2D Cropping2D "
    "Dropout SpatialDropout2D Flatten UpSampling2D LeakyReLU Through"
).split()


@dataclass(frozen=True)
class Pair:
    """Two layers whose channels can be scaled against each other."""

    producer: str
    consumer: str
    between: tuple[str, ...]


def equalizable(model: KerasModel) -> list[Pair]:
    """Return the pairs of layers with only positively homogeneous layers in between and no other reader."""
    from tflite_compress.models.wiring import wiring

    wires = wiring(model)
    found = []
    for name, layer in wires.layers.items():
        if type(layer).__name__ not in _PRODUCERS or not _homogeneous_activation(layer):
            continue
        between: list[str] = []
        reader = wires.only_reader(name)
        while reader is not None and _homogeneous(wires.layers[reader]):
            between.append(reader)
            reader = wires.only_reader(reader)
        if reader is not None and _takes_channels(wires.layers[reader]):
            found.append(Pair(name, reader, tuple(between)))
    return found


def _homogeneous_activation(layer: Any) -> bool:
    if type(layer).__name__ == "DepthwiseConv2D" and layer.depth_multiplier != 1:
        return False
    if getattr(layer, "groups", 1) != 1:
        return False
    return getattr(layer.activation, "__name__", "linear") in ("linear", "relu")


def _homogeneous(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind == "Activation":
        return getattr(layer.activation, "__name__", "") in ("relu", "linear")
    if kind == "ReLU":
        return layer.max_value is None and not layer.threshold
    return kind in _HOMOGENEOUS


def _takes_channels(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind not in _CONSUMERS or getattr(layer, "groups", 1) != 1:
        return False
    return kind != "DepthwiseConv2D" or layer.depth_multiplier == 1


def activation_ranges(
    model: KerasModel, pairs: list[Pair], inputs: tuple[np.ndarray, ...]
) -> dict[str, np.ndarray]:
    """Return the largest absolute value of each channel after each producer, on the samples."""
    from tflite_compress.support.backend import tf_keras

    layers = [pair.between[0] if pair.between else pair.producer for pair in pairs]
    probe = tf_keras().Model(model.inputs, [model.get_layer(name).output for name in layers])
    found = [np.zeros(0)] * len(pairs)
    for start in range(0, len(inputs[0]), 64):
        batch = [x[start : start + 64] for x in inputs]
        outputs = probe(batch if len(batch) > 1 else batch[0], training=False)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        for index, output in enumerate(outputs):
            values = np.abs(np.asarray(output))
            widest = values.reshape(-1, values.shape[-1]).max(axis=0)
            found[index] = widest if not found[index].size else np.maximum(found[index], widest)
    return {pair.producer: ranges for pair, ranges in zip(pairs, found, strict=True)}


def even_out(model: KerasModel, pair: Pair, activations: np.ndarray | None) -> None:
    """Scale one pair in place to equal ranges on both sides of each channel (equation 11 of the paper)."""
    producer, consumer = model.get_layer(pair.producer), model.get_layer(pair.consumer)
    kernel, *bias = producer.get_weights()
    following, *rest = consumer.get_weights()
    depth = _output_channels(producer, kernel)
    first = _widths(kernel, producer, depth, outputs=True) if activations is None else activations
    if len(first) != depth:
        return  # Flatten before the first layer looked at: channels are spread over positions
    second = _widths(following, consumer, depth, outputs=False)
    if activations is not None and type(consumer).__name__ == "DepthwiseConv2D":
        second = np.ones(depth)  # each of its channels has a scale of its own
    alive = (first > 0) & (second > 0)
    factors = np.ones(depth)
    factors[alive] = np.sqrt(first[alive] / second[alive])
    factors[alive] /= np.exp(np.mean(np.log(factors[alive]))) if alive.any() else 1.0
    factors = np.clip(factors, 1 / LARGEST_FACTOR, LARGEST_FACTOR).astype(np.float32)
    producer.set_weights([scaled_outputs(producer, kernel, 1 / factors), *(b / factors for b in bias)])
    consumer.set_weights([scaled_inputs(consumer, following, factors), *rest])


def _output_channels(layer: Layer, kernel: np.ndarray) -> int:
    return int(
        kernel.shape[2]
        if type(layer).__name__ in ("DepthwiseConv2D", "Conv2DTranspose")
        else kernel.shape[-1]
    )


def _widths(kernel: np.ndarray, layer: Layer, depth: int, outputs: bool) -> np.ndarray:
    """Return the largest absolute weight of each output or input channel."""
    kind = type(layer).__name__
    values = np.abs(kernel)
    if kind == "DepthwiseConv2D":
        return np.asarray(values.max(axis=(0, 1, 3)))
    if kind == "Dense":
        flat = values if outputs else values.reshape(-1, depth, values.shape[-1])
        return np.asarray(flat.max(axis=0 if outputs else (0, 2)))
    axis = 3 if outputs != (kind == "Conv2DTranspose") else 2
    return np.asarray(values.max(axis=tuple(i for i in range(values.ndim) if i != axis)))


def absorb(model: KerasModel, pairs: list[Pair], inputs: tuple[np.ndarray, ...]) -> None:
    """Subtract the smallest value of each channel from its bias and add its effect to the next layer's bias.

    This is the paper's high-bias absorption (section 4.1.3), in place. It is done only where outputs on the
    samples stay equal: behind a ReLU, before a Dense layer or a convolution without padding.
    """
    from tflite_compress.support.backend import tf_keras

    suitable = [p for p in pairs if _absorbs(model, p)]
    if not suitable:
        return
    names = [p.between[-1] if p.between else p.producer for p in suitable]
    probe = tf_keras().Model(model.inputs, [model.get_layer(name).output for name in names])
    batch = list(inputs) if len(inputs) > 1 else inputs[0]
    outputs = probe(batch, training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    for pair, output in zip(suitable, outputs, strict=True):
        values = np.asarray(output)
        least = np.maximum(values.reshape(-1, values.shape[-1]).min(axis=0), 0.0)
        producer, consumer = model.get_layer(pair.producer), model.get_layer(pair.consumer)
        kernel, bias = producer.get_weights()
        following, after = consumer.get_weights()
        axes = tuple(range(following.ndim - 2))
        producer.set_weights([kernel, bias - least])
        consumer.set_weights([following, after + least @ following.sum(axis=axes)])


def _absorbs(model: KerasModel, pair: Pair) -> bool:
    producer, consumer = model.get_layer(pair.producer), model.get_layer(pair.consumer)
    if type(consumer).__name__ not in ("Dense", "Conv2D") or not (producer.use_bias and consumer.use_bias):
        return False
    if type(consumer).__name__ == "Conv2D" and consumer.padding != "valid" and max(consumer.kernel_size) > 1:
        return False
    between = [n for n in pair.between if type(model.get_layer(n)).__name__ != "Through"]
    rectifies = [n for n in between if type(model.get_layer(n)).__name__ in ("Activation", "ReLU")]
    if len(between) != len(rectifies) or len(rectifies) > 1:
        return False
    return bool(rectifies) or getattr(producer.activation, "__name__", "") == "relu"

"""Rules by layer class: which channels a layer produces, passes on, joins or needs.

A rule returns the effect of one call of a layer, or None if it does not apply to that layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tflite_compress.channels.labels import LabelBook, Labels

Role = Literal["in", "out", "along"]


@dataclass(frozen=True)
class Axis:
    """One axis of a weight whose entries belong to channels.

    Attributes:
        number: Index of the axis.
        labels: The channel of each entry.
        role: ``in`` if the weight reads the channels, ``out`` if it produces them, ``along`` if it has one
            entry per channel that it passes on (BatchNorm, depthwise convolution).
    """

    number: int
    labels: Labels
    role: Role


@dataclass(frozen=True)
class Effect:
    """What one call of a layer does to channels.

    Attributes:
        outputs: Labels of each output's last axis.
        weights: The labelled axes of each weight, in the order of ``layer.weights``.
        width: Labels of the layer's width (``filters``, ``units``), or None if it has none.
        reuse: How often one inference uses each element of each weight: MACs = elements x reuse.
    """

    outputs: tuple[Labels, ...]
    weights: tuple[tuple[Axis, ...], ...] = ()
    width: Labels | None = None
    reuse: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Visit:
    """One call of a layer in a flat graph.

    Attributes:
        layer: The tf_keras layer.
        inputs: Labels of the last axis of each input.
        input_shapes: Shape of each input, batch first; None is a free dimension.
        output_shapes: Shape of each output, batch first; None is a free dimension.
        arguments: Positional and keyword arguments of the call, for probing the layer.
    """

    layer: Any
    inputs: tuple[Labels, ...]
    input_shapes: tuple[tuple[int | None, ...], ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    arguments: tuple[tuple[object, ...], dict[str, object]] = field(default=((), {}))

    @property
    def positions(self) -> int:
        """Number of output elements each filter computes. Free dimensions count as 1."""
        return _product(self.output_shapes[0][1:-1])


Rule = Callable[[Visit, LabelBook], Effect | None]  # None: the rule does not apply


def _product(dims: tuple[int | None, ...]) -> int:
    return int(np.prod([d or 1 for d in dims], dtype=np.int64))


def _channels_last(layer: object) -> bool:
    return bool(getattr(layer, "data_format", "channels_last") == "channels_last")


def convolution(visit: Visit, book: LabelBook) -> Effect | None:
    """Kernel (..., in, out) and bias. One group per filter is handled as a depthwise convolution."""
    layer, source = visit.layer, visit.inputs[0]
    if not _channels_last(layer):
        return None
    if layer.groups != 1:
        if not layer.groups == layer.filters == len(source):
            return None
        rank = len(layer.weights[0].shape)
        return _effect(
            visit, source, [(Axis(rank - 1, source, "along"),), (Axis(0, source, "along"),)], source
        )
    made = book.fresh(layer.filters)
    rank = len(layer.weights[0].shape)
    weights = [(Axis(rank - 2, source, "in"), Axis(rank - 1, made, "out")), (Axis(0, made, "out"),)]
    return _effect(visit, made, weights, made)


def transposed_convolution(visit: Visit, book: LabelBook) -> Effect | None:
    """Kernel (..., out, in) and bias. Each input position uses the whole kernel."""
    layer, source = visit.layer, visit.inputs[0]
    if not _channels_last(layer):
        return None
    made = book.fresh(layer.filters)
    rank = len(layer.weights[0].shape)
    weights = [(Axis(rank - 1, source, "in"), Axis(rank - 2, made, "out")), (Axis(0, made, "out"),)]
    effect = _effect(visit, made, weights, made)
    return Effect(effect.outputs, effect.weights, made, (_product(visit.input_shapes[0][1:-1]), 0))


def depthwise(visit: Visit, book: LabelBook) -> Effect | None:
    """Kernel (..., in, m) with multiplier m. Channel ``c`` produces outputs ``c*m`` to ``c*m+m-1``."""
    if not _channels_last(visit.layer):
        return None
    source = visit.inputs[0]
    made = np.repeat(source, visit.layer.depth_multiplier)
    rank = len(visit.layer.weights[0].shape)
    return _effect(visit, made, [(Axis(rank - 2, source, "along"),), (Axis(0, made, "along"),)], None)


def separable(visit: Visit, book: LabelBook) -> Effect | None:
    """A depthwise kernel, a pointwise kernel and a bias."""
    layer, source = visit.layer, visit.inputs[0]
    if not _channels_last(layer):
        return None
    made, middle = book.fresh(layer.filters), np.repeat(source, layer.depth_multiplier)
    rank = len(layer.weights[0].shape)
    weights = [
        (Axis(rank - 2, source, "in"),),
        (Axis(rank - 2, middle, "in"), Axis(rank - 1, made, "out")),
        (Axis(0, made, "out"),),
    ]
    return _effect(visit, made, weights, made)


def dense(visit: Visit, book: LabelBook) -> Effect | None:
    """Kernel (in, out) and bias on the last axis."""
    made = book.fresh(visit.layer.units)
    weights = [(Axis(0, visit.inputs[0], "in"), Axis(1, made, "out")), (Axis(0, made, "out"),)]
    return _effect(visit, made, weights, made)


def recurrent(visit: Visit, book: LabelBook) -> Effect | None:
    """Kernel (in, gates*units), recurrent kernel (units, gates*units) and bias, ordered by gate."""
    layer = visit.layer
    if layer.return_state or layer.stateful or len(visit.inputs) > 1:
        return None
    made = book.fresh(layer.units)
    gates = layer.weights[0].shape[-1] // layer.units
    wide = np.tile(made, gates)
    weights: list[tuple[Axis, ...]] = [
        (Axis(0, visit.inputs[0], "in"), Axis(1, wide, "out")),
        (Axis(0, made, "in"), Axis(1, wide, "out")),
    ]
    if layer.use_bias:
        weights.append((Axis(len(layer.weights[2].shape) - 1, wide, "out"),))
    steps = visit.input_shapes[0][1] or 1
    return Effect((made,), tuple(weights), made, (steps, steps, 0)[: len(weights)])


def bidirectional(visit: Visit, book: LabelBook) -> Effect | None:
    """Input channels can be removed. The units of the layer stay."""
    count = len(visit.layer.weights)
    if len(visit.inputs) > 1 or len(visit.output_shapes) > 1:
        return None
    made = book.fresh(visit.output_shapes[0][-1] or 0)
    book.freeze(made)
    axes: list[tuple[Axis, ...]] = [()] * count
    axes[0] = axes[count // 2] = (Axis(0, visit.inputs[0], "in"),)
    steps = visit.input_shapes[0][1] or 1
    return Effect((made,), tuple(axes), None, tuple(steps * (len(w.shape) > 1) for w in visit.layer.weights))


def embedding(visit: Visit, book: LabelBook) -> Effect | None:
    """Table (vocabulary, channels)."""
    made = book.fresh(visit.layer.output_dim)
    return Effect((made,), ((Axis(1, made, "out"),),), made, (0,))


def normalization(visit: Visit, book: LabelBook) -> Effect | None:
    """Vectors (channels,), if the last axis is normalized."""
    axis = visit.layer.axis
    rank = len(visit.input_shapes[0])
    if [a % rank for a in (axis if isinstance(axis, list | tuple) else [axis])] != [rank - 1]:
        return None
    source = visit.inputs[0]
    return Effect((source,), tuple((Axis(0, source, "along"),) for _ in visit.layer.weights))


def prelu(visit: Visit, book: LabelBook) -> Effect | None:
    """Slopes (..., channels), or one slope for all channels."""
    alpha, source = visit.layer.weights[0], visit.inputs[0]
    if alpha.shape[-1] != len(source):
        return Effect((source,), ((),))
    return Effect((source,), ((Axis(len(alpha.shape) - 1, source, "along"),),))


def flatten(visit: Visit, book: LabelBook) -> Effect | None:
    """The channels of each position in sequence."""
    if not _channels_last(visit.layer):
        return None
    width = visit.output_shapes[0][-1]
    if width is None or (visit.inputs[0].size and width % visit.inputs[0].size):
        return None
    return Effect((np.tile(visit.inputs[0], width // max(1, len(visit.inputs[0]))),))


def reshape(visit: Visit, book: LabelBook) -> Effect | None:
    """The last axis stays, or all axes are flattened into one."""
    source, target = visit.inputs[0], visit.output_shapes[0]
    if target[-1] == len(source):
        return Effect((source,), width=source)
    if len(target) == 2:
        flat = flatten(visit, book)
        return None if flat is None else Effect(flat.outputs, width=flat.outputs[0])
    return None


def join(visit: Visit, book: LabelBook) -> Effect | None:
    """Elementwise operations such as Add. An axis of one entry is broadcast and stays."""
    widest = max(visit.inputs, key=len)
    for labels in visit.inputs:
        if len(labels) == len(widest):
            book.unite(widest, labels)
        elif len(labels) == 1:
            book.freeze(labels)
        else:
            return None
    return Effect((widest,))


def concatenate(visit: Visit, book: LabelBook) -> Effect | None:
    """Concatenates channels on the last axis. On another axis it unites the channels of its inputs."""
    rank = len(visit.output_shapes[0])
    if visit.layer.axis % rank == rank - 1:
        return Effect((np.concatenate(visit.inputs),))
    return join(visit, book)


def permute(visit: Visit, book: LabelBook) -> Effect | None:
    """Passes channels on if the last axis stays last."""
    stays = visit.layer.dims[-1] == len(visit.layer.dims)
    return Effect((visit.inputs[0],)) if stays else None


def activation(visit: Visit, book: LabelBook) -> Effect | None:
    """Passes channels on, except softmax, which reads all channels."""
    function = getattr(visit.layer, "activation", None)
    if getattr(function, "__name__", "") in ("softmax", "log_softmax"):
        return None
    return Effect((visit.inputs[0],))


def channelwise(visit: Visit, book: LabelBook) -> Effect | None:
    """Passes channels on: pooling, padding and dropout process each channel independently."""
    return Effect((visit.inputs[0],)) if _channels_last(visit.layer) else None


def _effect(visit: Visit, made: Labels, weights: Sequence[tuple[Axis, ...]], width: Labels | None) -> Effect:
    """Return an effect. The last entry of ``weights`` is the bias, dropped if the layer has none."""
    kept = weights if visit.layer.use_bias else weights[:-1]
    reuse = tuple(visit.positions if len(w.shape) > 1 else 0 for w in visit.layer.weights)
    return Effect((made,), tuple(kept), width, reuse)


_BY_RULE: dict[Rule, str] = {
    convolution: "Conv1D Conv2D Conv3D",
    transposed_convolution: "Conv1DTranspose Conv2DTranspose Conv3DTranspose",
    depthwise: "DepthwiseConv1D DepthwiseConv2D",
    separable: "SeparableConv1D SeparableConv2D",
    dense: "Dense",
    recurrent: "LSTM GRU SimpleRNN",
    bidirectional: "Bidirectional",
    embedding: "Embedding",
    normalization: "BatchNormalization SyncBatchNormalization LayerNormalization",
    prelu: "PReLU",
    flatten: "Flatten",
    reshape: "Reshape",
    join: "Add Subtract Multiply Average Maximum Minimum",
    concatenate: "Concatenate",
    permute: "Permute",
    activation: "Activation",
    channelwise: "ActivityRegularization AlphaDropout AveragePooling1D AveragePooling2D AveragePooling3D "
    "Cropping1D Cropping2D Cropping3D Dropout ELU GaussianDropout GaussianNoise GlobalAveragePooling1D "
    "GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D LeakyReLU Masking "
    "MaxPooling1D MaxPooling2D MaxPooling3D ReLU RepeatVector SpatialDropout1D SpatialDropout2D "
    "ThresholdedReLU UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D ZeroPadding3D",
}

RULES: dict[str, Rule] = {name: rule for rule, names in _BY_RULE.items() for name in names.split()}

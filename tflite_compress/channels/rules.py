"""What each kind of layer does to channels: makes new ones, passes them on, joins them, or needs them all."""

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
        number: Which axis.
        labels: The channel of each entry.
        role: ``in`` where the weight reads the channels, ``out`` where it makes them, ``along`` where it
            goes with them one to one (BatchNorm, depthwise).
    """

    number: int
    labels: Labels
    role: Role


@dataclass(frozen=True)
class Effect:
    """What one call of a layer means for channels.

    Attributes:
        outputs: Labels of each output's last axis.
        weights: The labelled axes of each weight, in the order of ``layer.weights``.
        width: Labels that count the layer's width (``filters``, ``units``), where it has one.
        reuse: How often one inference uses each entry of each weight: MACs are entries times reuse.
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
        input_shapes, output_shapes: Shapes with the batch first.
        arguments: Positional and keyword arguments of the call, for trying it out.
    """

    layer: Any
    inputs: tuple[Labels, ...]
    input_shapes: tuple[tuple[int | None, ...], ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = field(default=((), {}))

    @property
    def positions(self) -> int:
        """Entries of the output that each filter computes; free dimensions count as 1."""
        return _product(self.output_shapes[0][1:-1])


Rule = Callable[[Visit, LabelBook], Effect | None]  # None: the rule does not hold for this layer after all


def _product(dims: tuple[int | None, ...]) -> int:
    return int(np.prod([d or 1 for d in dims], dtype=np.int64))


def _channels_last(layer: Any) -> bool:
    return bool(getattr(layer, "data_format", "channels_last") == "channels_last")


def convolution(visit: Visit, book: LabelBook) -> Effect | None:
    """Kernel (..., in, out) and bias; ``groups`` equal to the filters go along like a depthwise."""
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
    """Kernel (..., out, in) and bias; each input position uses the whole kernel."""
    layer, source = visit.layer, visit.inputs[0]
    if not _channels_last(layer):
        return None
    made = book.fresh(layer.filters)
    rank = len(layer.weights[0].shape)
    weights = [(Axis(rank - 1, source, "in"), Axis(rank - 2, made, "out")), (Axis(0, made, "out"),)]
    effect = _effect(visit, made, weights, made)
    return Effect(effect.outputs, effect.weights, made, (_product(visit.input_shapes[0][1:-1]), 0))


def depthwise(visit: Visit, book: LabelBook) -> Effect | None:
    """Kernel (..., in, multiplier): channel ``c`` makes outputs ``c*m`` to ``c*m+m-1``."""
    if not _channels_last(visit.layer):
        return None
    source = visit.inputs[0]
    made = np.repeat(source, visit.layer.depth_multiplier)
    rank = len(visit.layer.weights[0].shape)
    return _effect(visit, made, [(Axis(rank - 2, source, "along"),), (Axis(0, made, "along"),)], None)


def separable(visit: Visit, book: LabelBook) -> Effect | None:
    """A depthwise kernel, then a pointwise one."""
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
    """Kernel (in, gates*units), recurrent kernel (units, gates*units) and bias, gate after gate."""
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
    """Reads any channels; its own units stay."""
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
    """A table (vocabulary, channels)."""
    made = book.fresh(visit.layer.output_dim)
    return Effect((made,), ((Axis(1, made, "out"),),), made, (0,))


def normalization(visit: Visit, book: LabelBook) -> Effect | None:
    """Vectors along the last axis."""
    axis = visit.layer.axis
    rank = len(visit.input_shapes[0])
    if [a % rank for a in (axis if isinstance(axis, list | tuple) else [axis])] != [rank - 1]:
        return None
    source = visit.inputs[0]
    return Effect((source,), tuple((Axis(0, source, "along"),) for _ in visit.layer.weights))


def prelu(visit: Visit, book: LabelBook) -> Effect | None:
    """Slopes of the input's shape."""
    alpha, source = visit.layer.weights[0], visit.inputs[0]
    if alpha.shape[-1] != len(source):
        return Effect((source,), ((),))
    return Effect((source,), ((Axis(len(alpha.shape) - 1, source, "along"),),))


def flatten(visit: Visit, book: LabelBook) -> Effect | None:
    """Each position's channels one after the other."""
    if not _channels_last(visit.layer):
        return None
    width = visit.output_shapes[0][-1]
    if width is None or (visit.inputs[0].size and width % visit.inputs[0].size):
        return None
    return Effect((np.tile(visit.inputs[0], width // max(1, len(visit.inputs[0]))),))


def reshape(visit: Visit, book: LabelBook) -> Effect | None:
    """Channels stay last, or all positions are flattened into them."""
    source, target = visit.inputs[0], visit.output_shapes[0]
    if target[-1] == len(source):
        return Effect((source,), width=source)
    if len(target) == 2:
        flat = flatten(visit, book)
        return None if flat is None else Effect(flat.outputs, width=flat.outputs[0])
    return None


def join(visit: Visit, book: LabelBook) -> Effect | None:
    """Add, Multiply and the like: entry by entry, an axis of one entry meeting all."""
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
    """Side by side along the channels; along another axis the channels are the same ones."""
    rank = len(visit.output_shapes[0])
    if visit.layer.axis % rank == rank - 1:
        return Effect((np.concatenate(visit.inputs),))
    return join(visit, book)


def permute(visit: Visit, book: LabelBook) -> Effect | None:
    """Passes on where the last axis stays last."""
    stays = visit.layer.dims[-1] == len(visit.layer.dims)
    return Effect((visit.inputs[0],)) if stays else None


def activation(visit: Visit, book: LabelBook) -> Effect | None:
    """Passes on, unless it looks at all channels at once."""
    function = getattr(visit.layer, "activation", None)
    if getattr(function, "__name__", "") in ("softmax", "log_softmax"):
        return None
    return Effect((visit.inputs[0],))


def channelwise(visit: Visit, book: LabelBook) -> Effect | None:
    """Passes on: pooling, padding, dropout and the like work on each channel alone."""
    return Effect((visit.inputs[0],)) if _channels_last(visit.layer) else None


def _effect(visit: Visit, made: Labels, weights: Sequence[tuple[Axis, ...]], width: Labels | None) -> Effect:
    """An effect whose last weight is the bias, where the layer has one."""
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

"""Trace channels through a graph: which must be removed together, and which weight elements they own.

An addition, a BatchNorm, a depthwise convolution or a shared layer connects channels, which then must be
removed together. Fang et al., "DepGraph: Towards Any Structural Pruning" (arXiv:2301.12900), trace such
groups through the graph. This implementation gives each channel a label and follows the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tflite_compress.channels.labels import FROZEN, LabelBook, Labels
from tflite_compress.channels.probe import channelwise_by_trial
from tflite_compress.channels.rules import RULES, Axis, Effect, Visit
from tflite_compress.models.keras_types import KerasModel, Layer, Node, Tensor
from tflite_compress.support.errors import ModelError


@dataclass(frozen=True, eq=False)
class LayerChannels:
    """The channels of one layer's weights.

    Attributes:
        layer: The tf_keras layer.
        weights: The labelled axes of each weight, in the order of ``layer.weights``.
        width: Labels of the layer's width (``filters``, ``units``), or None if it has none.
        reuse: How often one inference uses each element of each weight, over all calls of the layer.
    """

    layer: Layer
    weights: tuple[tuple[Axis, ...], ...]
    width: Labels | None
    reuse: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Dependencies:
    """The groups of channels of a traced model.

    Attributes:
        layers: Every layer with weights or a width.
        group_of: int64, shape (labels,): group of each label; ``FROZEN`` for channels that must stay.
        count: Number of groups.
        reasons: Why channels must stay, by the name of the layer that needs them.
        outputs: Labels of the first output of each layer's last call, by the name of the layer.
    """

    layers: tuple[LayerChannels, ...]
    group_of: np.ndarray
    count: int
    reasons: dict[str, str]
    outputs: dict[str, Labels]

    def groups(self, labels: Labels) -> np.ndarray:
        """Return the group of each entry of an axis, int64, shape (channels,)."""
        found: np.ndarray = self.group_of[labels]
        return found

    def kept(self, labels: Labels, keep: np.ndarray) -> np.ndarray:
        """Return the indices of an axis that stay, int64.

        Args:
            labels: Labels of the axis, shape (channels,).
            keep: bool, shape (groups,): True for groups that stay.
        """
        groups = self.group_of[labels]
        return np.flatnonzero((groups == FROZEN) | np.append(keep, True)[groups])


def trace(model: KerasModel, untouched: Callable[[str], bool] = lambda name: False) -> Dependencies:
    """Trace channels through a flat functional tf_keras model.

    Args:
        model: The model; unchanged.
        untouched: Returns True for the name of a layer that keeps all the channels it produces.

    Returns:
        The groups of channels. Channels of inputs and outputs stay, and so do channels read by a layer
        without a known rule.

    Raises:
        ModelError: A shared layer is called on inputs of different widths.
    """
    book = LabelBook()
    labels: dict[int, Labels] = {}
    found: dict[int, LayerChannels] = {}
    made_by: dict[str, Labels] = {}
    for tensor in model.inputs:
        labels[id(tensor)] = _frozen(book, tensor)
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            visit = _visit(node, labels)
            effect = _effect(visit, book)
            outputs = _flatten(node.outputs)
            for tensor, made in zip(outputs, effect.outputs, strict=True):
                labels[id(tensor)] = made
            _remember(visit.layer, effect, found, book)
            made_by[visit.layer.name] = effect.outputs[0]
            if effect.width is not None and untouched(visit.layer.name):
                book.freeze(effect.width)
    for tensor in model.outputs:
        book.freeze(labels[id(tensor)])
    group_of = book.groups()
    count = int(group_of.max(initial=-1)) + 1
    return Dependencies(tuple(found.values()), group_of, count, book.reasons, made_by)


def _visit(node: Node, labels: dict[int, Labels]) -> Visit:
    inputs = _flatten(node.keras_inputs)
    return Visit(
        node.layer,
        tuple(labels[id(t)] for t in inputs),
        tuple(tuple(t.shape) for t in inputs),
        tuple(tuple(t.shape) for t in _flatten(node.outputs)),
        (tuple(node.call_args), dict(node.call_kwargs)),
    )


def _effect(visit: Visit, book: LabelBook) -> Effect:
    """Return what a layer does to channels: by its rule, else by probing it, else it needs all channels."""
    kind = type(visit.layer).__name__
    rule = RULES.get(kind) if type(visit.layer).__module__.startswith("tf_keras") else None
    effect = rule(visit, book) if rule else channelwise_by_trial(visit, book)
    if effect is not None:
        return effect
    name = _kind(visit.layer)
    for labels in visit.inputs:
        book.freeze(labels, visit.layer.name, f"{name} needs all the channels it reads")
    outputs = [book.fresh(shape[-1] or 0 if len(shape) > 1 else 0) for shape in visit.output_shapes]
    for made in outputs:
        book.freeze(made)
    reuse = tuple(visit.positions if len(w.shape) > 1 else 0 for w in visit.layer.weights)
    return Effect(tuple(outputs), tuple(() for _ in visit.layer.weights), None, reuse)


def _remember(layer: Layer, effect: Effect, found: dict[int, LayerChannels], book: LabelBook) -> None:
    """Record the labelled axes of a layer. Further calls of the layer unite their channels with these."""
    if not effect.weights and effect.width is None:
        return
    before = found.get(id(layer))
    reuse = effect.reuse or (0,) * len(layer.weights)
    if before is None:
        found[id(layer)] = LayerChannels(layer, effect.weights, effect.width, reuse)
        return
    for old, new in zip(before.weights, effect.weights, strict=True):
        for a, b in zip(old, new, strict=True):
            book.unite(a.labels, b.labels)
    if before.width is not None and effect.width is not None:
        if len(before.width) != len(effect.width):
            raise ModelError(f"layer '{layer.name}' is called on inputs of different widths")
        book.unite(before.width, effect.width)
    total = tuple(a + b for a, b in zip(before.reuse, reuse, strict=True))
    found[id(layer)] = LayerChannels(layer, before.weights, before.width, total)


def _frozen(book: LabelBook, tensor: Tensor) -> Labels:
    shape = tuple(tensor.shape)
    labels = book.fresh(shape[-1] or 0 if len(shape) > 1 else 0)
    book.freeze(labels)
    return labels


def _kind(layer: Layer) -> str:
    inner = getattr(layer, "_operation", None)
    return type(layer if inner is None else inner).__name__


def _flatten(structure: object) -> list[Tensor]:
    from tflite_compress.support.backend import tensorflow

    return list(tensorflow().nest.flatten(structure))

"""Which channels hang together across a graph, and which entries of which weights they are.

Channels joined by an addition, a BatchNorm, a depthwise convolution or a shared layer must be removed
together; the idea of tracing such groups through the graph is that of Fang et al., "DepGraph: Towards
Any Structural Pruning" (arXiv:2301.12900). Here each channel carries a label through the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_compress.channels.labels import FROZEN, LabelBook, Labels
from tflite_compress.channels.probe import channelwise_by_trial
from tflite_compress.channels.rules import RULES, Axis, Effect, Visit
from tflite_compress.support.errors import ModelError


@dataclass(frozen=True, eq=False)
class LayerChannels:
    """The channels of one layer's weights.

    Attributes:
        layer: The tf_keras layer.
        weights: The labelled axes of each weight, in the order of ``layer.weights``.
        width: Labels that count the layer's width, where it has one.
        reuse: How often one inference uses each entry of each weight, over all calls of the layer.
    """

    layer: Any
    weights: tuple[tuple[Axis, ...], ...]
    width: Labels | None
    reuse: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Dependencies:
    """The outcome of tracing a model.

    Attributes:
        layers: Every layer with weights or a width.
        bundle_of: Bundle of each label, int64; ``FROZEN`` for channels that stay.
        count: Number of bundles: sets of channels that are removed together.
        reasons: Why channels stay, by the layer that needs them.
    """

    layers: tuple[LayerChannels, ...]
    bundle_of: np.ndarray
    count: int
    reasons: dict[str, str]

    def bundles(self, labels: Labels) -> np.ndarray:
        """Bundle of each entry of an axis."""
        found: np.ndarray = self.bundle_of[labels]
        return found

    def kept(self, labels: Labels, keep: np.ndarray) -> np.ndarray:
        """Indices along an axis that stay.

        Args:
            labels: The axis.
            keep: bool, shape (bundles,).
        """
        bundles = self.bundle_of[labels]
        return np.flatnonzero((bundles == FROZEN) | np.append(keep, True)[bundles])


def trace(model: Any, untouched: Callable[[str], bool] = lambda name: False) -> Dependencies:
    """Trace channels through a flat functional tf_keras model.

    Args:
        model: The model; unchanged.
        untouched: Tells by name whether a layer keeps the channels it makes.

    Returns:
        Its dependencies. Channels of the inputs and outputs stay, and so do those read by a layer that
        nothing is known about.
    """
    book = LabelBook()
    labels: dict[int, Labels] = {}
    found: dict[int, LayerChannels] = {}
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
            if effect.width is not None and untouched(visit.layer.name):
                book.freeze(effect.width)
    for tensor in model.outputs:
        book.freeze(labels[id(tensor)])
    bundle_of = book.bundles()
    return Dependencies(tuple(found.values()), bundle_of, int(bundle_of.max(initial=-1)) + 1, book.reasons)


def _visit(node: Any, labels: dict[int, Labels]) -> Visit:
    inputs = _flatten(node.keras_inputs)
    return Visit(
        node.layer,
        tuple(labels[id(t)] for t in inputs),
        tuple(tuple(t.shape) for t in inputs),
        tuple(tuple(t.shape) for t in _flatten(node.outputs)),
        (tuple(node.call_args), dict(node.call_kwargs)),
    )


def _effect(visit: Visit, book: LabelBook) -> Effect:
    """Apply the layer's rule; without one, try the layer out; failing that, it needs what it has."""
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


def _remember(layer: Any, effect: Effect, found: dict[int, LayerChannels], book: LabelBook) -> None:
    """Record the labelled axes; another call of the same layer must read and make the same channels."""
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


def _frozen(book: LabelBook, tensor: Any) -> Labels:
    shape = tuple(tensor.shape)
    labels = book.fresh(shape[-1] or 0 if len(shape) > 1 else 0)
    book.freeze(labels)
    return labels


def _kind(layer: Any) -> str:
    inner = getattr(layer, "_operation", None)
    return type(layer if inner is None else inner).__name__


def _flatten(structure: Any) -> list[Any]:
    from tflite_compress.support.backend import tensorflow

    return list(tensorflow().nest.flatten(structure))

"""Replay a Keras graph: visit its calls in order and rebuild them as a flat tf_keras model.

Copying a model, bridging it from Keras 3, wrapping its layers for pruning and unwrapping them are the
same walk. They differ in the function that translates one layer call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tflite_compress.models.keras_types import Config, KerasModel, KerasModule, Layer, Tensor
from tflite_compress.support.backend import tensorflow, tf_keras
from tflite_compress.support.errors import ModelError


@dataclass(frozen=True)
class Call:
    """One call of one layer or operation in a Keras graph.

    Attributes:
        layer: The Keras 2 or Keras 3 layer or operation.
        name: Its name, unique in the flat graph and prefixed by the models it is nested in.
        args: Positional arguments; graph tensors replaced by the rebuilt graph's tensors.
        kwargs: Keyword arguments.
    """

    layer: Layer
    name: str
    args: tuple[object, ...]
    kwargs: Config


Translate = Callable[[Call], object]


def is_functional(model: object) -> bool:
    """Return True if ``model`` (Keras 2 or 3) is a functional or sequential model."""
    return _functional(model) is not None


def replay(
    model: object,
    translate: Translate,
    shapes: Sequence[tuple[int | None, ...]] | None = None,
    keras: KerasModule | None = None,
) -> KerasModel:
    """Rebuild ``model`` as a flat functional model.

    Args:
        model: A functional or sequential model of Keras 2 (tf_keras) or Keras 3.
        translate: Called once for each layer call; returns that call's output tensors.
        shapes: Shapes of the inputs, batch first. None keeps those of the model with a free batch.
        keras: The Keras to rebuild it in; tf_keras by default.

    Returns:
        A model with the inputs and outputs of ``model`` in their order. Several outputs
        are a list.

    Raises:
        ModelError: ``model`` is a subclassed model.
    """
    target = tf_keras() if keras is None else keras
    graph = _functional(model)
    if graph is None:
        raise ModelError(
            f"model '{getattr(model, 'name', model)}' is a subclassed model: its layers form no graph",
            "Rebuild it with the functional API, or choose a recipe without training passes "
            "(float16, dynamic, int8, int16x8).",
        )
    names = input_names(cast(KerasModel, model))
    stateful = any(getattr(layer, "stateful", False) for layer in graph.layers)
    given = shapes or [_free_batch(t.shape, stateful) for t in graph.inputs]
    inputs = [
        target.Input(batch_shape=shape, dtype=_dtype_name(t), name=name)
        for t, shape, name in zip(graph.inputs, given, names, strict=True)
    ]
    outputs = _walk(graph, inputs, translate, "", _UniqueNames(names))
    rebuilt: KerasModel = target.Model(_one_or_all(inputs), _one_or_all(outputs), name=graph.name)
    return rebuilt


def input_names(model: KerasModel) -> list[str]:
    """Return the names of the model's inputs in order, without ``:0`` suffixes."""
    names = getattr(model, "input_names", None)
    if not names:
        names = [str(t.name).split(":")[0] for t in model.inputs]
    return [str(name) for name in names]


def output_names(model: KerasModel) -> list[str]:
    """Return the names of the model's outputs in order; repeated names get the suffix ``_1``, ``_2``."""
    names = getattr(model, "output_names", None) or [f"output_{i}" for i in range(len(model.outputs))]
    unique = _UniqueNames([])
    return [unique(str(name)) for name in names]


class _UniqueNames:
    """Return each name once; a repeated name gets a number."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def __call__(self, name: str) -> str:
        candidate, count = name, 0
        while candidate in self._taken:
            count += 1
            candidate = f"{name}_{count}"
        self._taken.add(candidate)
        return candidate


def _functional(model: object) -> KerasModel | None:
    """Return the graph of a functional or sequential model, or None for other models."""
    graph: Any = model
    if type(model).__name__ == "Sequential" or hasattr(model, "_functional"):
        graph = getattr(model, "_functional", None) or model
    if not getattr(graph, "inputs", None) or not getattr(graph, "_nodes_by_depth", None):
        return None
    found: KerasModel = graph
    return found


def _walk(
    graph: KerasModel, inputs: list[object], translate: Translate, prefix: str, unique: _UniqueNames
) -> list[object]:
    """Call the graph's nodes in order on ``inputs`` and return the flat list of outputs."""
    values = {id(t): value for t, value in zip(graph.inputs, inputs, strict=True)}
    names: dict[int, str] = {}
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            layer = getattr(node, "operation", None) or getattr(node, "layer", None)
            if layer is None or node.is_input:
                continue
            args, kwargs = _arguments(node, values)
            nested = _functional(layer)
            if nested is not None:
                flat = _walk(nested, _flatten(args[0]), translate, f"{prefix}{layer.name}_", unique)
            else:
                name = names.setdefault(id(layer), "") or unique(prefix + layer.name)
                names[id(layer)] = name
                flat = _flatten(translate(Call(layer, name, args, kwargs)))
            for tensor, value in zip(_flatten(node.outputs), flat, strict=True):
                values[id(tensor)] = value
    return [values[id(t)] for t in graph.outputs]


def _arguments(node: Any, values: dict[int, object]) -> tuple[tuple[object, ...], Config]:
    """Return the node's call arguments with each graph tensor replaced by its value."""

    def swap(x: object) -> object:
        return values.get(id(x), x)

    if hasattr(node, "arguments"):  # Keras 3
        args, kwargs = node.arguments.convert(swap)
        return tuple(args), dict(kwargs)
    tree = tensorflow().nest
    return tree.map_structure(swap, tuple(node.call_args)), tree.map_structure(swap, dict(node.call_kwargs))


def _flatten(structure: object) -> list[object]:
    return list(tensorflow().nest.flatten(structure))


def _one_or_all(tensors: list[object]) -> object:
    return tensors[0] if len(tensors) == 1 else tensors


def _free_batch(shape: Sequence[int | None], stateful: bool) -> tuple[int | None, ...]:
    """Return the shape with a free batch. Stateful layers need their own batch, so theirs stays."""
    return tuple(shape) if stateful else (None, *tuple(shape)[1:])


def _dtype_name(tensor: Tensor) -> str:
    """Return the type of a rebuilt input: float32 for 16-bit floats, which no ``.tflite`` takes."""
    name = str(getattr(tensor.dtype, "name", tensor.dtype))
    return "float32" if name in ("float16", "bfloat16") else name

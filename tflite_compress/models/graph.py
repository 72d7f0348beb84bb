"""Replaying a Keras graph: walk it node by node and rebuild it in tf_keras, flat.

Copying a model, bridging it from Keras 3, wrapping its layers for pruning and unwrapping them are
the same walk with a different answer to one question: what stands in for this layer?
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tflite_compress.support.backend import tf_keras
from tflite_compress.support.errors import ModelError


@dataclass(frozen=True)
class Call:
    """One call of one layer or operation in a Keras graph.

    Attributes:
        layer: The Keras 2 or Keras 3 layer or operation.
        name: Its name, unique in the flat graph and prefixed by the models it is nested in.
        args: Positional arguments; graph tensors replaced by the rebuilt graph's tensors.
        kwargs: Keyword arguments, likewise.
    """

    layer: Any
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


Translate = Callable[[Call], Any]


def is_functional(model: Any) -> bool:
    """Tell whether ``model`` (Keras 2 or 3) is a graph of layers that can be walked."""
    return _functional(model) is not None


def replay(model: Any, translate: Translate, shapes: Sequence[tuple[int | None, ...]] | None = None) -> Any:
    """Rebuild ``model`` as a flat functional tf_keras model.

    Args:
        model: A functional or sequential model of Keras 2 (tf_keras) or Keras 3.
        translate: Called once for each layer call; returns that call's output tensors.
        shapes: Shapes of the inputs, batch first, where they shall differ from the model's.

    Returns:
        A ``tf_keras.Model`` with the inputs and outputs of ``model`` in their order, its batch free;
        several outputs come as a list.

    Raises:
        ModelError: ``model`` is not a graph of layers.
    """
    keras2 = tf_keras()
    graph = _functional(model)
    if graph is None:
        raise ModelError(
            f"model '{getattr(model, 'name', model)}' is a subclassed model: its layers form no graph",
            "Rebuild it with the functional API, or choose a recipe without training passes "
            "(float16, dynamic, int8, int16x8).",
        )
    stateful = any(getattr(layer, "stateful", False) for layer in graph.layers)
    given = shapes or [_free_batch(t.shape, stateful) for t in graph.inputs]
    inputs = [
        keras2.Input(batch_shape=shape, dtype=_dtype_name(t), name=name)
        for t, shape, name in zip(graph.inputs, given, input_names(model), strict=True)
    ]
    outputs = _walk(graph, inputs, translate, "", _UniqueNames(input_names(model)))
    return keras2.Model(_one_or_all(inputs), _one_or_all(outputs), name=graph.name)


def input_names(model: Any) -> list[str]:
    """Names of the model's inputs, in order, without ``:0`` suffixes."""
    names = getattr(model, "input_names", None)
    if not names:
        names = [str(t.name).split(":")[0] for t in model.inputs]
    return [str(name) for name in names]


def output_names(model: Any) -> list[str]:
    """Names of the model's outputs, in order; layers that give several get ``_1``, ``_2``."""
    names = getattr(model, "output_names", None) or [f"output_{i}" for i in range(len(model.outputs))]
    unique = _UniqueNames([])
    return [unique(str(name)) for name in names]


class _UniqueNames:
    """Give each name once; later askers get a numbered one."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def __call__(self, name: str) -> str:
        candidate, count = name, 0
        while candidate in self._taken:
            count += 1
            candidate = f"{name}_{count}"
        self._taken.add(candidate)
        return candidate


def _functional(model: Any) -> Any:
    """The functional graph behind a functional or sequential model, or None."""
    graph = model
    if type(model).__name__ == "Sequential" or hasattr(model, "_functional"):
        graph = getattr(model, "_functional", None) or model
    if not getattr(graph, "inputs", None) or not getattr(graph, "_nodes_by_depth", None):
        return None
    return graph


def _walk(
    graph: Any, inputs: list[Any], translate: Translate, prefix: str, unique: _UniqueNames
) -> list[Any]:
    """Run the graph's nodes in order on ``inputs`` and return its flat list of outputs."""
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


def _arguments(node: Any, values: dict[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The node's call arguments with each graph tensor replaced by its value."""

    def swap(x: Any) -> Any:
        return values.get(id(x), x)

    if hasattr(node, "arguments"):  # Keras 3
        args, kwargs = node.arguments.convert(swap)
        return tuple(args), dict(kwargs)
    tree = _nest()
    return tree.map_structure(swap, tuple(node.call_args)), tree.map_structure(swap, dict(node.call_kwargs))


def _flatten(structure: Any) -> list[Any]:
    return list(_nest().flatten(structure))


def _nest() -> Any:
    from tflite_compress.support.backend import tensorflow

    return tensorflow().nest


def _one_or_all(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _free_batch(shape: Any, stateful: bool) -> tuple[int | None, ...]:
    """The shape with a free batch, so that any batch can be evaluated; stateful layers need theirs."""
    return tuple(shape) if stateful else (None, *tuple(shape)[1:])


def _dtype_name(tensor: Any) -> str:
    dtype = tensor.dtype
    return str(getattr(dtype, "name", dtype))

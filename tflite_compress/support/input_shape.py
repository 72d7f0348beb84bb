"""Sizes that the user chooses for open dimensions of a model's inputs: ``input_shape``, ``--input-shape``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tflite_compress.support.errors import UsageError

Shape = tuple[int, ...]
OpenShape = tuple[int | None, ...]  # None is an open dimension
InputShape = str | Sequence[int] | Mapping[str, Sequence[int]]

_MAX_SIZE = 1 << 24
_ONE = re.compile(r"(?:([^=,]+)=)?(\d+(?:[x×*]\d+)*)")


def parse_input_shape(value: InputShape) -> dict[str | None, Shape]:
    """Return the shape for each input name; None stands for the only input.

    Args:
        value: ``224x224x3``, or ``image=224x224x3,text=20`` for several inputs; or a tuple of sizes; or a
            mapping from input name to sizes. The batch is left out.

    Raises:
        UsageError: The value is malformed, or a size is not positive.
    """
    found: dict[str | None, Shape] = {}
    if isinstance(value, str):
        for part in value.split(","):
            match = _ONE.fullmatch(part.strip())
            if match is None:
                raise _malformed(value)
            found[match[1]] = tuple(int(size) for size in re.split("[x×*]", match[2]))
    elif isinstance(value, Mapping):
        found = {name: _sizes(sizes, value) for name, sizes in value.items()}
    else:
        found = {None: _sizes(value, value)}
    if not all(0 < size <= _MAX_SIZE for shape in found.values() for size in shape):
        raise _malformed(value)
    return found


def choose_shapes(value: InputShape, inputs: Mapping[str, OpenShape]) -> dict[str, Shape]:
    """Match the user's sizes with a model's inputs.

    Args:
        value: The user's value; see :func:`parse_input_shape`.
        inputs: Shape of each input without the batch.

    Returns:
        The sizes of the inputs that the user named, without the batch.

    Raises:
        UsageError: An input is unknown, has another rank, or has another size where it is not open.
    """
    chosen: dict[str, Shape] = {}
    for name, shape in parse_input_shape(value).items():
        if name is None and len(inputs) != 1:
            raise UsageError(
                f"--input-shape={_as_text(shape)}: the model has {len(inputs)} inputs: {', '.join(inputs)}",
                f"Name them: --input-shape={suggest_shapes(inputs)}.",
            )
        key = next(iter(inputs)) if name is None else name
        if key not in inputs:
            raise UsageError(
                f"--input-shape: the model has no input '{key}'; it has {', '.join(inputs)}",
                f"For example --input-shape={suggest_shapes(inputs)}.",
            )
        _require_fitting(key, shape, inputs[key], inputs)
        chosen[key] = shape
    return chosen


def show_shape(shape: OpenShape) -> str:
    """Return a shape in words, for example ``? x ? x 3``; an open dimension is a question mark."""
    return " x ".join("?" if d is None else str(d) for d in shape) or "a single value"


def describe_open(inputs: Mapping[str, OpenShape]) -> str:
    """Return why sizes are unknown: the inputs that leave dimensions open, without data.

    Args:
        inputs: Shapes without the batch, of the inputs with open dimensions.
    """
    named = ", ".join(f"'{name}' (batch x {show_shape(shape)})" for name, shape in inputs.items())
    subject = f"input {named} has" if len(inputs) == 1 else f"inputs {named} have"
    return f"{subject} open dimensions besides the batch, and there is no data to take their size from"


def suggest_shapes(inputs: Mapping[str, OpenShape]) -> str:
    """Return a valid value of ``--input-shape`` for inputs without the batch."""
    sizes = {name: probe_shape(shape) for name, shape in inputs.items() if shape}
    if len(inputs) == 1:
        return _as_text(next(iter(sizes.values()), (1,)))
    return ",".join(f"{name}={_as_text(shape)}" for name, shape in sizes.items())


def probe_shape(shape: OpenShape, scale: int = 1) -> Shape:
    """Return a shape with usual sizes for its open dimensions.

    Images get 64, sequences 16. Much smaller images become empty inside common networks, where oneDNN returns
    uninitialized memory.

    Args:
        shape: Shape without the batch.
        scale: Factor on the sizes.
    """
    free = 64 if len(shape) > 2 else 16
    return tuple(free * scale if d is None else d for d in shape)


def _require_fitting(name: str, shape: Shape, known: OpenShape, inputs: Mapping[str, OpenShape]) -> None:
    fits = len(shape) == len(known) and all(k in (None, s) for k, s in zip(known, shape, strict=True))
    if not fits:
        raise UsageError(
            f"--input-shape={_as_text(shape)}: input '{name}' is {show_shape(known)} without the batch",
            f"Give that many sizes and keep the known ones: --input-shape={suggest_shapes(inputs)}.",
        )


def _sizes(sizes: object, value: object) -> Shape:
    if isinstance(sizes, str) or not isinstance(sizes, Sequence):
        raise _malformed(value)
    if not all(isinstance(size, int) and not isinstance(size, bool) for size in sizes):
        raise _malformed(value)
    return tuple(sizes)


def _as_text(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _malformed(value: object) -> UsageError:
    return UsageError(
        f"--input-shape={value}: expected sizes without the batch",
        "For example --input-shape=224x224x3, or --input-shape=image=224x224x3,text=20 for several inputs.",
    )

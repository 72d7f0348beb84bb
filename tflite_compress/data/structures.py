"""What functions and generators return as data: which part is inputs, which is labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np

from tflite_compress.data.samples import ArrayGroup
from tflite_compress.data.spool import Rows
from tflite_compress.support.errors import DataError

HINT = (
    "Give arrays (x, y), x alone, a dict of inputs by name, a tf.data.Dataset, or a generator of samples or "
    "batches."
)


def inputs_and_labels(
    value: object, names: Sequence[str], origin: str
) -> tuple[ArrayGroup, ArrayGroup | None]:
    """Tell inputs from labels in arrays that belong together.

    A tuple is ``(x, y)`` or ``(x, y, weights)``. A list is ``[x, y]``, except for a model with as many inputs
    as the list has arrays. A mapping has inputs by name, or ``x`` and ``y``.

    Args:
        value: What a function returned, or one item of a generator.
        names: Names of the model's inputs; empty if unknown.
        origin: The source, for error messages.

    Raises:
        DataError: The value is none of these.
    """
    if isinstance(value, Mapping):
        if "x" in value and "y" in value and "y" not in names:
            return value["x"], value["y"]
        return cast(ArrayGroup, value), None
    if hasattr(value, "__array__"):
        return cast(ArrayGroup, value), None
    if isinstance(value, list) and not _is_pair(value, len(names)):
        return cast(ArrayGroup, value), None
    if isinstance(value, tuple | list) and 1 <= len(value) <= 3:
        return value[0], value[1] if len(value) > 1 else None
    raise DataError(f"{origin}: is {described(value)}, not data", HINT)


def _is_pair(value: list[Any], inputs: int) -> bool:
    """Return True for ``[x, y]``; False for the inputs of a model, or rows of numbers."""
    if len(value) != 2:
        return False
    if isinstance(value[0], Mapping) or (
        isinstance(value[0], list | tuple) and value[0] and hasattr(value[0][0], "__array__")
    ):
        return True
    return inputs != 2 and all(part is None or hasattr(part, "__array__") for part in value)


def gather_items(
    items: Iterable[object], names: Sequence[str], rank: int, limit: int, origin: str
) -> tuple[ArrayGroup, ArrayGroup | None, bool]:
    """Read a generator of samples or batches.

    Args:
        items: Each is inputs, or inputs and labels; see :func:`inputs_and_labels`.
        names: Names of the model's inputs.
        rank: Rank of the model's first input, with batch; items with that rank are batches.
        limit: Maximum number of samples.
        origin: The source, for error messages.

    Returns:
        The inputs, the labels or None, and True if there were more samples.

    Raises:
        DataError: There are no items, or they differ in structure or shape.
    """
    columns: dict[str, Rows] = {}
    sample: tuple[object, object] | None = None
    count = 0
    for item in _guarded(items, origin):
        x, y = inputs_and_labels(item, names, origin)
        if sample is None:
            sample = x, y
        rows = _rows(dict([*_leaves(x, "x"), *(_leaves(y, "y") if y is not None else ())]), rank, origin)
        for row in islice(rows, limit - count):
            if columns and set(row) != set(columns):
                raise DataError(f"{origin}: an item is {described(item)}, unlike the first one", HINT)
            for key, array in row.items():
                _append(columns.setdefault(key, Rows()), array, origin)
        count += len(rows)
        if count >= limit:
            break
    if sample is None:
        raise DataError(f"{origin}: gives no samples", "Give at least a few samples.")
    labels = None if sample[1] is None else _collected(sample[1], "y", columns)
    return _collected(sample[0], "x", columns), labels, count >= limit


def described(value: object, depth: int = 2) -> str:
    """Describe a value's structure in words, for error messages."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"an array of shape {tuple(shape)}"
    if isinstance(value, Mapping) and depth:
        parts = ", ".join(f"{key}: {described(part, depth - 1)}" for key, part in islice(value.items(), 4))
        return f"a {type(value).__name__} of {len(value)} ({parts})"
    if isinstance(value, tuple | list) and depth:
        parts = ", ".join(described(part, depth - 1) for part in value[:4])
        return f"a {type(value).__name__} of {len(value)} ({parts})"
    return f"a {type(value).__name__}"


def _guarded(items: Iterable[object], origin: str) -> Iterator[object]:
    """Yield the items; an exception of the user's code is an error in the data."""
    try:
        yield from items
    except Exception as error:
        raise DataError(
            f"{origin}: raised {type(error).__name__}: {error}", "Fix the function that returns the data."
        ) from error


def _rows(leaves: dict[str, np.ndarray], rank: int, origin: str) -> list[dict[str, np.ndarray]]:
    """Return the samples of one item, which is a batch or one sample."""
    if next(iter(leaves.values())).ndim != rank:
        return [leaves]
    if len(lengths := {len(array) for array in leaves.values()}) > 1:
        raise DataError(
            f"{origin}: a batch has parts of {' and '.join(map(str, sorted(lengths)))} samples",
            "Give every part of a batch the same first dimension.",
        )
    return [dict(zip(leaves, row, strict=True)) for row in zip(*leaves.values(), strict=True)]


def _append(rows: Rows, array: np.ndarray, origin: str) -> None:
    try:
        rows.append(array)
    except ValueError as error:
        raise DataError(f"{origin}: {error}", "Give samples of one shape and type.") from error


def _leaves(value: object, side: str) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, Mapping):
        yield from ((f"{side}/{name}", np.asarray(part)) for name, part in value.items())
    elif isinstance(value, tuple | list) and value and hasattr(value[0], "__array__"):
        yield from ((f"{side}/{number}", np.asarray(part)) for number, part in enumerate(value))
    else:
        yield side, np.asarray(value)


def _collected(sample: object, side: str, columns: Mapping[str, Rows]) -> ArrayGroup:
    """Return the columns in the structure of a sample."""
    keys = [key for key, _ in _leaves(sample, side)]
    if keys == [side]:
        return columns[side].finish()
    if isinstance(sample, Mapping):
        return {name: columns[f"{side}/{name}"].finish() for name in sample}
    return [columns[key].finish() for key in keys]

"""Samples: arrays in the model's order, checked once, then only passed along."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tflite_compress.data.spool import blocks, in_blocks, rows_of
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError


@dataclass(frozen=True)
class RawData:
    """What a source gave, before it meets a model.

    Attributes:
        inputs: One array, several in order, or a mapping by input name; shape (samples, ...).
        labels: The same for labels, or None.
        origin: Where it came from, for messages.
        class_names: Names of the classes where the source has them.
        note: What a user should know about how it was read.
    """

    inputs: Any
    labels: Any
    origin: str
    class_names: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Samples:
    """Checked data in the order of a model's ports.

    Attributes:
        inputs: One array for each input, shape (samples, ...), in the input's dtype.
        labels: One array for each output, shape (samples, ...), or None.
        origin: Where it came from.
        class_names: Names of the classes where known.
        note: What a user should know about how it was read.
    """

    inputs: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...] | None
    origin: str
    class_names: tuple[str, ...] = ()
    note: str = ""

    def __len__(self) -> int:
        return len(self.inputs[0])

    def take(self, indices: np.ndarray) -> Samples:
        """The samples at ``indices``, in that order."""
        labels = None if self.labels is None else tuple(y[indices] for y in self.labels)
        return replace(self, inputs=tuple(rows_of(x, indices) for x in self.inputs), labels=labels)

    def sha256(self) -> str:
        """Hash of all arrays with their shapes and dtypes; computed once."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for array in (*self.inputs, *(self.labels or ())):
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def bind(raw: RawData, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> Samples:
    """Put raw data into the order of a model's ports and check that it fits.

    Args:
        raw: What a source gave.
        inputs: The model's input ports.
        outputs: The model's output ports.

    Raises:
        DataError: Naming the array, what it is and what was expected.
    """
    arrays = _in_order(raw.inputs, inputs, raw.origin, "input")
    checked = tuple(_checked_input(x, port, raw.origin) for x, port in zip(arrays, inputs, strict=True))
    labels = None
    if raw.labels is not None:
        ordered = _in_order(raw.labels, outputs, raw.origin, "label")
        labels = tuple(_checked_label(y, port, raw.origin) for y, port in zip(ordered, outputs, strict=True))
    lengths = {len(x) for x in checked} | {len(y) for y in labels or ()}
    if lengths == {0}:
        raise DataError(f"{raw.origin}: no samples in it", "Give at least a few samples, better 100 or more.")
    if len(lengths) > 1:
        raise DataError(
            f"{raw.origin}: inputs and labels differ in length: {sorted(lengths)} samples",
            "Give every input and label array the same first dimension.",
        )
    return Samples(checked, labels, raw.origin, raw.class_names, raw.note)


def _in_order(values: Any, ports: tuple[TensorSpec, ...], origin: str, what: str) -> list[np.ndarray]:
    """The arrays in port order, from a mapping by name, a sequence, or a single array."""
    if isinstance(values, Mapping):
        if len(ports) == 1 and len(values) == 1:
            return [np.asarray(next(iter(values.values())))]
        missing = [port.name for port in ports if port.name not in values]
        if missing:
            raise DataError(
                f"{origin}: no {what} array for {', '.join(missing)}; it has {', '.join(map(str, values))}",
                f"Name the arrays after the model's {what}s: {', '.join(p.name for p in ports)}.",
            )
        return [np.asarray(values[port.name]) for port in ports]
    if isinstance(values, tuple | list) and len(ports) > 1:
        if len(values) != len(ports):
            raise DataError(
                f"{origin}: {len(values)} {what} arrays for a model with {len(ports)}",
                f"Give them by name: {', '.join(p.name for p in ports)}.",
            )
        return [np.asarray(v) for v in values]
    if len(ports) > 1:
        raise DataError(
            f"{origin}: one {what} array for a model with {len(ports)} {what}s",
            f"Give them by name: {', '.join(p.name for p in ports)}.",
        )
    return [np.asarray(values)]


def _checked_input(array: np.ndarray, port: TensorSpec, origin: str) -> np.ndarray:
    """Check shape and numbers of one input array and cast it to the port's dtype."""
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{origin}: input '{port.name}' has dtype {array.dtype}, not numbers", "Give numeric arrays."
        )
    expected = port.shape[1:]
    if array.ndim == len(expected) and expected and expected[-1] == 1 and array.ndim > 0:
        array = array[..., np.newaxis]  # grey images without a channel axis
    fits = array.ndim == len(expected) + 1 and all(
        e is None or e == a for e, a in zip(expected, array.shape[1:], strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if d is None else str(d) for d in expected)
        raise DataError(
            f"{origin}: input '{port.name}' has shape {array.shape}, the model takes (samples, {wanted})",
            "Reshape or resize the data to the model's input.",
        )
    if array.dtype.kind == "f":
        for rows in blocks(array):
            bad = np.isinf(array[rows]) if port.nan else ~np.isfinite(array[rows])
            if bad.any():
                first = rows.start + int(np.argwhere(bad)[0][0])
                raise DataError(
                    f"{origin}: input '{port.name}' holds NaN or infinity, first in sample {first}",
                    f"Remove or repair those samples.{port.without_nan}",
                )
    if array.dtype == port.dtype:
        return np.ascontiguousarray(array)
    return np.ascontiguousarray(in_blocks(array, lambda rows: rows.astype(port.dtype), port.dtype))


def _checked_label(array: np.ndarray, port: TensorSpec, origin: str) -> np.ndarray:
    """Check one label array against its output; integer class labels must be in range."""
    if port.labels and array.ndim == 1:
        array = _numbered(array, port, origin)
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{origin}: labels for '{port.name}' have dtype {array.dtype}, not numbers",
            "Give class numbers from 0, one-hot rows, or target values.",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{origin}: labels for '{port.name}' hold NaN or infinity", "Remove those samples.")
    rank = len(port.shape)
    if array.ndim == rank and array.shape[-1] == 1 and (port.shape[-1] or 1) > 1:
        array = array[..., 0]
    if array.ndim not in (rank, rank - 1):
        raise DataError(
            f"{origin}: labels for '{port.name}' have shape {array.shape}, the output has {rank} dimensions",
            "Give class numbers (samples,), or targets shaped like the output.",
        )
    classes = port.shape[-1]
    if array.ndim == rank - 1 and classes and classes > 1:
        _require_class_numbers(array, classes, port, origin)
        array = array.astype(np.int64)
    elif array.ndim == rank and any(
        e is not None and e != a for e, a in zip(port.shape[1:], array.shape[1:], strict=True)
    ):
        raise DataError(
            f"{origin}: labels for '{port.name}' have shape {array.shape}, the output {port.shape}",
            "Give targets shaped like the output, or class numbers.",
        )
    return np.ascontiguousarray(array)


def _numbered(array: np.ndarray, port: TensorSpec, origin: str) -> np.ndarray:
    """Class numbers of labels such as names, as the model lists its classes."""
    known = {str(label): number for number, label in enumerate(port.labels)}
    words = [str(int(v) if isinstance(v, float) and v.is_integer() else v) for v in array.tolist()]
    strange = sorted(set(words) - set(known))
    if strange:
        raise DataError(
            f"{origin}: labels for '{port.name}' have {', '.join(strange[:3])}, no class of the model",
            f"Its classes are {', '.join(list(known)[:10])}.",
        )
    return np.array([known[word] for word in words], np.int64)


def _require_class_numbers(array: np.ndarray, classes: int, port: TensorSpec, origin: str) -> None:
    whole = array.dtype.kind in "iub" or bool(np.all(array == np.round(array)))
    if not whole or (array.size and (array.min() < 0 or array.max() >= classes)):
        found = f"{array.min()} to {array.max()}" if array.size else "nothing"
        raise DataError(
            f"{origin}: labels for '{port.name}' run from {found}, the model has classes 0 to {classes - 1}",
            "Number the classes from 0 in the order of the model's outputs.",
        )

"""Samples: arrays in the order of a model's inputs and outputs, checked against them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tflite_compress.data.boxes import FIELDS, checked_boxes
from tflite_compress.data.spool import blocks, map_blocks, take_rows
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

IGNORED = -1  # the class of a pixel that is neither scored nor trained on
ArrayGroup = np.ndarray | Sequence[np.ndarray] | Mapping[str, np.ndarray]


@dataclass(frozen=True)
class RawData:
    """Data of a source, not yet checked against a model.

    Attributes:
        inputs: One array, several in order, or a mapping by input name; each has shape (samples, ...).
        labels: The same for labels, or None.
        origin: The source, for error messages.
        class_names: Names of the classes; empty if the source has none.
        notes: Facts about reading the data that the report lists.
        spans: Of time series the rows of each sample, shape (samples, 3), int64: number of the recording,
            first row, row after the last. Samples that share rows stay in one part of a split. None for
            independent samples.
    """

    inputs: ArrayGroup
    labels: ArrayGroup | None
    origin: str
    class_names: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    spans: np.ndarray | None = None


@dataclass(frozen=True)
class Samples:
    """Data in the order of a model's inputs and outputs.

    Attributes:
        inputs: One array per input, shape (samples, ...), in the input's dtype.
        labels: One array per output, shape (samples, ...), or None. Boxes are one array for all outputs.
        origin: The source, for reports and error messages.
        class_names: Names of the classes; empty if unknown.
        notes: Facts about reading the data that the report lists.
        has_boxes: True if the labels are boxes; see :mod:`tflite_compress.data.boxes`.
        spans: See :class:`RawData`.
    """

    inputs: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...] | None
    origin: str
    class_names: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    has_boxes: bool = False
    spans: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def take(self, indices: np.ndarray) -> Samples:
        """Return the samples at ``indices``, in that order."""
        labels = None if self.labels is None else tuple(take_rows(y, indices) for y in self.labels)
        spans = None if self.spans is None else self.spans[indices]
        inputs = tuple(take_rows(x, indices) for x in self.inputs)
        return replace(self, inputs=inputs, labels=labels, spans=spans)

    @functools.cached_property
    def input_digests(self) -> tuple[bytes, ...]:
        """A hash of each sample's inputs. Samples are read one at a time: data may be larger than memory."""
        return tuple(map(self._input_digest, range(len(self))))

    def _input_digest(self, index: int) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for array in self.inputs:
            digest.update(np.ascontiguousarray(array[index]).tobytes())
        return digest.digest()

    def sha256(self) -> str:
        """Return the SHA-256 of all arrays with their shapes and dtypes."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for array in (*self.inputs, *(self.labels or ())):
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def bind(raw: RawData, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> Samples:
    """Put raw data into the order of a model's inputs and outputs, and check it.

    Args:
        raw: Data of a source.
        inputs: The model's inputs.
        outputs: The model's outputs.

    Raises:
        DataError: An array is missing, or has another shape, type or length, NaN, or unknown classes.
    """
    arrays = _in_order(raw.inputs, inputs, raw.origin, "input")
    checked = tuple(_checked_input(x, spec, raw.origin) for x, spec in zip(arrays, inputs, strict=True))
    boxes = _find_boxes(raw, outputs)
    labels: tuple[np.ndarray, ...] | None = None if boxes is None else (boxes,)
    if raw.labels is not None and boxes is None:
        ordered = _in_order(raw.labels, outputs, raw.origin, "label")
        labels = tuple(_checked_label(y, spec, raw.origin) for y, spec in zip(ordered, outputs, strict=True))
    lengths = {len(x) for x in checked} | {len(y) for y in labels or ()}
    if lengths == {0}:
        raise DataError(f"{raw.origin}: has no samples", "Give at least 2 samples, better 100 or more.")
    if len(lengths) > 1:
        raise DataError(
            f"{raw.origin}: inputs and labels differ in length: {sorted(lengths)} samples",
            "Give every input and label array the same first dimension.",
        )
    if raw.spans is not None and lengths != {len(raw.spans)}:
        raise DataError(
            f"{raw.origin}: preprocessing made {max(lengths)} samples of {len(raw.spans)} windows",
            "Return one sample per window.",
        )
    return Samples(checked, labels, raw.origin, raw.class_names, raw.notes, boxes is not None, raw.spans)


def _find_boxes(raw: RawData, outputs: tuple[TensorSpec, ...]) -> np.ndarray | None:
    """Return the labels if they are boxes for all outputs; None if they are labels of an output."""
    values = raw.labels
    if isinstance(values, Mapping | tuple | list):
        arrays = list(values.values()) if isinstance(values, Mapping) else values
        values = arrays[0] if len(arrays) == 1 else None
    shape: tuple[int, ...] = getattr(values, "shape", ())
    if len(shape) != 3 or shape[-1] != FIELDS or not outputs:
        return None
    if len(outputs) == 1:
        rank = len(outputs[0].shape)
        pairs = zip(outputs[0].shape[1:], shape[1:], strict=False)
        if rank in (3, 4) and all(size in (None, given) for size, given in pairs):
            return None  # targets shaped like the output, or a class number for each of its pixels
    return checked_boxes(np.asarray(values), raw.origin)


def _in_order(values: ArrayGroup, specs: tuple[TensorSpec, ...], origin: str, what: str) -> list[np.ndarray]:
    """Return the arrays in the order of the specs, from a mapping by name, a sequence, or one array."""
    if isinstance(values, Mapping):
        if len(specs) == 1 and len(values) == 1:
            return [np.asarray(next(iter(values.values())))]
        missing = [spec.name for spec in specs if spec.name not in values]
        if missing:
            raise DataError(
                f"{origin}: no {what} array for {', '.join(missing)}; it has {', '.join(map(str, values))}",
                f"Name the arrays after the model's {what}s: {', '.join(s.name for s in specs)}.",
            )
        return [np.asarray(values[spec.name]) for spec in specs]
    if isinstance(values, tuple | list) and len(specs) > 1:
        if len(values) != len(specs):
            raise DataError(
                f"{origin}: {len(values)} {what} arrays for a model with {len(specs)}",
                f"Give them by name: {', '.join(s.name for s in specs)}.",
            )
        return [np.asarray(v) for v in values]
    if len(specs) > 1:
        raise DataError(
            f"{origin}: one {what} array for a model with {len(specs)} {what}s",
            f"Give them by name: {', '.join(s.name for s in specs)}.",
        )
    if isinstance(values, tuple | list) and len(values) == 1:  # [x] for the only input
        rank = len(specs[0].shape)
        if hasattr(values[0], "__array__") and np.ndim(values[0]) >= (rank if what == "input" else 1):
            return [np.asarray(values[0])]
    return [np.asarray(values)]


def _checked_input(array: np.ndarray, spec: TensorSpec, origin: str) -> np.ndarray:
    """Check shape and values of one input array and convert it to the input's dtype."""
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{origin}: input '{spec.name}' has dtype {array.dtype}, not numbers", "Give numeric arrays."
        )
    array = array.reshape(checked_shape(array.shape, spec, origin))
    if array.dtype.kind == "f":
        for rows in blocks(array):
            bad = np.isinf(array[rows]) if spec.nan else ~np.isfinite(array[rows])
            if bad.any():
                first = rows.start + int(np.argwhere(bad)[0][0])
                raise DataError(
                    f"{origin}: input '{spec.name}' contains NaN or infinity, first in sample {first}",
                    f"Remove or repair those samples.{spec.without_nan}",
                )
    if array.dtype == spec.dtype:
        return np.ascontiguousarray(array)
    return np.ascontiguousarray(map_blocks(array, lambda rows: rows.astype(spec.dtype), spec.dtype))


def checked_shape(shape: tuple[int, ...], spec: TensorSpec, origin: str) -> tuple[int, ...]:
    """Return the shape of an input array with a channel axis if the model's images have one channel.

    Args:
        shape: Shape of the data, samples first.
        spec: The model's input.
        origin: Where the data come from, for messages.

    Raises:
        DataError: The shape does not fit the input.
    """
    expected = spec.shape[1:]
    if len(shape) == len(expected) and expected and expected[-1] == 1 and shape:
        shape = (*shape, 1)  # grayscale images without a channel axis
    fits = len(shape) == len(expected) + 1 and all(
        e is None or e == a for e, a in zip(expected, shape[1:], strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if d is None else str(d) for d in expected)
        raise DataError(
            f"{origin}: input '{spec.name}' has shape {shape}, the model takes (samples, {wanted})",
            "Reshape or resize the data to the model's input.",
        )
    return shape


def _checked_label(array: np.ndarray, spec: TensorSpec, origin: str) -> np.ndarray:
    """Check one label array against its output; class numbers must be in range."""
    if spec.labels and array.ndim == 1:
        array = _numbered(array, spec, origin)
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{origin}: labels for '{spec.name}' have dtype {array.dtype}, not numbers",
            "Give class numbers from 0, one-hot rows, or target values.",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(
            f"{origin}: labels for '{spec.name}' contain NaN or infinity", "Remove those samples."
        )
    rank = len(spec.shape)
    if array.ndim == rank and array.shape[-1] == 1 and (spec.shape[-1] or 1) > 1:
        array = array[..., 0]
    if array.ndim not in (rank, rank - 1):
        raise DataError(
            f"{origin}: labels for '{spec.name}' have shape {array.shape}, the output has {rank} dimensions",
            "Give class numbers (samples,), or targets shaped like the output.",
        )
    classes = spec.shape[-1]
    if array.ndim == rank - 1 and rank > 3:
        _require_map_size(array, spec, origin)
    if array.ndim == rank - 1 and classes and classes > 1:
        _require_class_numbers(array, classes, spec, origin)
        array = map_blocks(array, lambda rows: rows.astype(np.int64), np.int64)
    elif array.ndim == rank and any(
        e is not None and e != a for e, a in zip(spec.shape[1:], array.shape[1:], strict=True)
    ):
        raise DataError(
            f"{origin}: labels for '{spec.name}' have shape {array.shape}, the output {spec.shape}",
            "Give targets shaped like the output, or class numbers.",
        )
    return np.ascontiguousarray(array)


def _require_map_size(array: np.ndarray, spec: TensorSpec, origin: str) -> None:
    """Compare the size of maps of class numbers with that of the output."""
    if any(e not in (None, a) for e, a in zip(spec.shape[1:-1], array.shape[1:], strict=True)):
        found, wanted = ("x".join(map(str, shape)) for shape in (array.shape[1:], spec.shape[1:-1]))
        raise DataError(
            f"{origin}: labels for '{spec.name}' have {found} positions, the output has {wanted}",
            "Resize the labels to the output. For folders of masks, --resize does it.",
        )


def _numbered(array: np.ndarray, spec: TensorSpec, origin: str) -> np.ndarray:
    """Return class numbers for labels such as names, in the order of the model's classes."""
    known = {str(label): number for number, label in enumerate(spec.labels)}
    words = [str(int(v) if isinstance(v, float) and v.is_integer() else v) for v in array.tolist()]
    unknown = sorted(set(words) - set(known))
    if unknown:
        raise DataError(
            f"{origin}: labels for '{spec.name}' have {', '.join(unknown[:3])}, no class of the model",
            f"Its classes are {', '.join(list(known)[:10])}.",
        )
    return np.array([known[word] for word in words], np.int64)


def _require_class_numbers(array: np.ndarray, classes: int, spec: TensorSpec, origin: str) -> None:
    whole = array.dtype.kind in "iub" or bool(np.all(array == np.round(array)))
    lowest = IGNORED if array.ndim > 2 else 0
    if not whole or (array.size and (array.min() < lowest or array.max() >= classes)):
        found = f"{array.min()} to {array.max()}" if array.size else "nothing"
        raise DataError(
            f"{origin}: labels for '{spec.name}' run from {found}, the model has classes 0 to {classes - 1}",
            "Number the classes from 0 in the order of the model's outputs.",
        )

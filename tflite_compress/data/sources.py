"""Read data sources: files and folders of any kind, arrays, datasets and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, SupportsInt, cast

import numpy as np

from tflite_compress.data.file_source import FileSource, find_source
from tflite_compress.data.samples import ArrayGroup, RawData
from tflite_compress.data.spool import Rows, map_blocks
from tflite_compress.data.structures import gather_items, inputs_and_labels
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError, UsageError
from tflite_compress.support.notes import Note
from tflite_compress.support.references import resolve_reference

ArrayFunction = Callable[[np.ndarray], np.ndarray]
Preprocess = str | ArrayFunction
_SCALES: dict[str, ArrayFunction] = {
    "none": lambda x: x,
    "unit": lambda x: x / 255.0,
    "symmetric": lambda x: x / 127.5 - 1.0,
}


class Dataset(Protocol):
    """The attributes used of a ``tf.data.Dataset``."""

    @property
    def element_spec(self) -> Any:
        """Structure, shapes and types of an element."""

    def cardinality(self) -> SupportsInt:
        """Return the number of elements, -1 if infinite."""

    def unbatch(self) -> Dataset:
        """Return the dataset with single samples as elements."""

    def take(self, count: int) -> Dataset:
        """Return the first elements."""

    def as_numpy_iterator(self) -> Iterator[object]:
        """Return the elements as arrays."""


DataSource = (
    str
    | Path
    | FileSource
    | ArrayGroup
    | tuple[ArrayGroup, ArrayGroup | None]
    | Dataset
    | Callable[[], object]
)


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source.

    Attributes:
        input: The model's first input; images are read in its size and channels.
        preprocess: ``none``, ``unit`` (0 to 1), ``symmetric`` (-1 to 1), or a function of the array of all
            samples of an input, as a callable or as ``module:function``. It returns an array with the same
            number of samples.
        resize: Resize images to the model's input. Otherwise other sizes are an error.
        limit: Maximum number of samples read from a ``tf.data.Dataset`` or a generator.
        input_names: Names of the model's inputs; empty for a model with one.
        outputs: The model's outputs; empty if unknown.
    """

    input: TensorSpec
    preprocess: Preprocess = "none"
    resize: bool = False
    limit: int = 100_000
    input_names: tuple[str, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    @property
    def keeps_shape(self) -> bool:
        """True if preprocessing keeps the shape of the samples; a function may compute any."""
        return self.preprocess in _SCALES


def read(source: DataSource, options: ReadOptions) -> dict[str, RawData]:
    """Read a data source.

    Args:
        source: A path, or a :class:`FileSource` with a path and how to read it; arrays ``(x, y)`` or ``x``; a
            mapping of inputs; a ``tf.data.Dataset``; or a function that returns arrays, a mapping or a
            dataset, as a callable or as ``module:function``.
        options: How to read it.

    Returns:
        ``{"all": ...}``, or ``{"train": ..., "eval": ...}`` if the source is already split.

    Raises:
        DataError: The source is missing, empty, or malformed, or its function raised.
    """
    if isinstance(source, str | Path | FileSource):
        file = find_source(source)
        if file is not None:
            found = file.read(options)
        else:
            found = {"all": _from_value(resolve_reference(str(source), "--data"), str(source), options)}
    else:
        found = {"all": _from_value(source, "data", options)}
    return {name: _preprocessed(raw, options.preprocess) for name, raw in found.items()}


def _from_value(value: object, origin: str, options: ReadOptions) -> RawData:
    """Read arrays, a mapping or a dataset, or what a user's function returns."""
    if callable(value) and not hasattr(value, "shape"):
        try:
            value = value()
        except Exception as error:
            raise DataError(
                f"{origin}: raised {type(error).__name__}: {error}", "Fix the function that returns the data."
            ) from error
    if hasattr(value, "as_numpy_iterator"):
        return _from_dataset(cast(Dataset, value), origin, options)
    items = _items(value)
    if items is None:
        return RawData(*inputs_and_labels(value, options.input_names, origin), origin)
    limit = options.limit
    x, y, more = gather_items(items, options.input_names, len(options.input.shape), limit, origin)
    text = f"only the first {limit:,} samples of the generator were used"
    return RawData(x, y, origin, notes=(Note("dataset-cut-off", text),) if more else ())


def _items(value: object) -> Iterable[object] | None:
    """Return the items of a generator, a data loader or a keras.utils.PyDataset; None for other values."""
    if isinstance(value, Mapping | tuple | list | str | bytes) or hasattr(value, "__array__"):
        return None
    indexed: Any = value
    if hasattr(value, "__getitem__") and hasattr(value, "__len__") and not isinstance(value, Iterator):
        return (indexed[number] for number in range(len(indexed)))
    return value if isinstance(value, Iterable) else None


def _from_dataset(dataset: Dataset, origin: str, options: ReadOptions) -> RawData:
    """Read a ``tf.data.Dataset`` of ``x`` or ``(x, y)``, batched or not."""
    if int(dataset.cardinality()) == -1:
        raise DataError(f"{origin}: the dataset is infinite", "End it with dataset.take(n).")
    spec = dataset.element_spec
    labelled = isinstance(spec, tuple) and len(spec) == 2
    first = spec[0] if labelled else spec
    leaf = next(iter(first.values())) if isinstance(first, Mapping) else first
    leaf = leaf[0] if isinstance(leaf, tuple | list) else leaf
    rank = leaf.shape.rank
    if rank is not None and rank == len(options.input.shape):
        dataset = dataset.unbatch()
    columns: dict[str, Rows] = {}
    count = 0
    for item in dataset.take(options.limit + 1).as_numpy_iterator():
        count += 1
        if count <= options.limit:
            for key, value in _leaves(item, labelled):
                columns.setdefault(key, Rows()).append(value)
    if not count:
        raise DataError(f"{origin}: the dataset is empty", "Give at least a few samples.")
    text = f"only the first {options.limit:,} samples of the dataset were used"
    notes = (Note("dataset-cut-off", text),) if count > options.limit else ()
    inputs = _gathered(first, "x", columns)
    labels = _gathered(spec[1], "y", columns) if labelled else None
    return RawData(inputs, labels, origin, notes=notes)


def _leaves(item: Any, labelled: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array of one sample with a key for its place."""
    for side, value in zip("xy", item if labelled else (item,), strict=False):
        if isinstance(value, Mapping):
            yield from ((f"{side}/{name}", part) for name, part in value.items())
        elif isinstance(value, tuple | list):
            yield from ((f"{side}/{number}", part) for number, part in enumerate(value))
        else:
            yield side, value


def _gathered(spec: object, side: str, columns: dict[str, Rows]) -> ArrayGroup:
    """Return the columns in the structure of the dataset's elements."""
    if isinstance(spec, Mapping):
        return {name: columns[f"{side}/{name}"].finish() for name in spec}
    if isinstance(spec, tuple | list):
        return [columns[f"{side}/{number}"].finish() for number in range(len(spec))]
    return columns[side].finish()


def _preprocessed(raw: RawData, preprocess: Preprocess) -> RawData:
    if preprocess == "none":
        return raw
    function = array_function(preprocess)
    inputs: ArrayGroup
    if isinstance(raw.inputs, Mapping):
        inputs = {name: function(np.asarray(x)) for name, x in raw.inputs.items()}
    elif isinstance(raw.inputs, list | tuple):
        inputs = [function(np.asarray(x)) for x in raw.inputs]
    else:
        inputs = function(np.asarray(raw.inputs))
    return replace(raw, inputs=inputs)


def array_function(preprocess: Preprocess) -> ArrayFunction:
    """Return the function that ``preprocess`` names or is.

    Raises:
        UsageError: It is not known.
    """
    if callable(preprocess):
        return preprocess
    if preprocess in _SCALES:
        scale = _SCALES[preprocess]
        return lambda x: map_blocks(x, lambda rows: scale(np.asarray(rows, np.float32)), np.float32)
    if ":" in preprocess:
        function: ArrayFunction = resolve_reference(preprocess, "--preprocess")
        return function
    raise UsageError(
        f"--preprocess={preprocess}: unknown", f"Use {', '.join(_SCALES)}, a function, or module:function."
    )

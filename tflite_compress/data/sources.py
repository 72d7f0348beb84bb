"""Where data comes from: ``.npz`` files, folders of images, and ``module:function``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tflite_compress.data.npz import read_npz
from tflite_compress.data.samples import RawData
from tflite_compress.data.spool import Rows, in_blocks
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError, UsageError
from tflite_compress.support.references import resolve_reference

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
_SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda x: x,
    "unit": lambda x: x / 255.0,
    "symmetric": lambda x: x / 127.5 - 1.0,
}


@dataclass(frozen=True)
class ReadOptions:
    """How to read a source.

    Attributes:
        input: The model's first input, whose size and channels images are read for.
        preprocess: ``none``, ``unit`` (0 to 1), ``symmetric`` (-1 to 1) or ``module:function``
            applied to the array of all inputs.
        resize: Resize images to the model's input instead of refusing other sizes.
        limit: Most samples taken from a ``tf.data.Dataset``.
    """

    input: TensorSpec
    preprocess: str = "none"
    resize: bool = False
    limit: int = 100_000


def read(source: Any, options: ReadOptions) -> dict[str, RawData]:
    """Read a data source.

    Args:
        source: A path to a ``.npz`` or a folder, ``module:function``, arrays ``(x, y)`` or ``x``, a
            mapping of inputs, a ``tf.data.Dataset``, or a callable returning one of those.
        options: How to read it.

    Returns:
        ``{"all": ...}``, or ``{"train": ..., "eval": ...}`` where the source is split itself.

    Raises:
        DataError: The source is missing, empty, or malformed.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            found = {"all": _read_folder(path, options)}
        elif path.suffix == ".npz":
            found = _read_npz(path)
        elif ":" in str(source) and not path.exists():
            found = {"all": _from_value(resolve_reference(str(source), "--data"), str(source), options)}
        else:
            problem = "not an .npz file or a folder" if path.exists() else "no such file or folder"
            raise DataError(f"{source}: {problem}", "Give an .npz, a folder of images, or module:function.")
    else:
        found = {"all": _from_value(source, "data", options)}
    return {name: _preprocessed(raw, options.preprocess) for name, raw in found.items()}


def _read_npz(path: Path) -> dict[str, RawData]:
    arrays = read_npz(path)
    if {"x_train", "x_test"} <= set(arrays):
        return {
            "train": RawData(arrays["x_train"], arrays.get("y_train"), f"{path}:train"),
            "eval": RawData(arrays["x_test"], arrays.get("y_test"), f"{path}:test"),
        }
    return {"all": _split_names(arrays, path)}


def _split_names(arrays: dict[str, np.ndarray], path: Path) -> RawData:
    """Tell inputs from labels by name: ``y``, ``y_NAME`` and ``y/NAME`` are labels."""
    labels = {name: a for name, a in arrays.items() if name == "y" or name.startswith(("y_", "y/"))}
    inputs = {name: a for name, a in arrays.items() if name not in labels}
    if not inputs:
        raise DataError(f"{path}: no input array; it has {', '.join(arrays) or 'nothing'}", "Save x and y.")
    if set(labels) == {"y"}:
        return RawData(_named(inputs, "x"), labels["y"], str(path))
    return RawData(_named(inputs, "x"), _named(labels, "y") or None, str(path))


def _named(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name[2:] if name.startswith((f"{prefix}_", f"{prefix}/")) else name: a for name, a in arrays.items()
    }


def _read_folder(folder: Path, options: ReadOptions) -> RawData:
    """Read a folder with one subfolder of images for each class, or images without classes."""
    from tflite_compress.data.images import read_images

    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    files: list[Path] = []
    labels: list[int] = []
    for number, sub in enumerate(classes or [folder]):
        found = sorted(p for p in sub.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        files += found
        labels += [number] * len(found)
    if not files:
        raise DataError(
            f"{folder}: no images in it",
            f"Put images ({', '.join(sorted(IMAGE_SUFFIXES))}) into one subfolder for each class.",
        )
    images = read_images(files, options.input, options.resize)
    y = np.asarray(labels, dtype=np.int64) if classes else None
    scaled = options.preprocess != "none"
    note = (
        "" if scaled else "pixels went in as 0 to 255; for a model trained on another scale use --preprocess"
    )
    return RawData(images, y, str(folder), tuple(p.name for p in classes), note)


def _from_value(value: Any, origin: str, options: ReadOptions) -> RawData:
    """Arrays from what a user's function returned."""
    if callable(value) and not hasattr(value, "shape"):
        try:
            value = value()
        except Exception as error:
            raise DataError(
                f"{origin}: raised {type(error).__name__}: {error}", "Fix the function that gives the data."
            ) from error
    if hasattr(value, "as_numpy_iterator"):
        return _from_dataset(value, origin, options)
    if isinstance(value, tuple) and len(value) == 2:
        return RawData(value[0], value[1], origin)
    if isinstance(value, Mapping | list) or hasattr(value, "__array__"):
        return RawData(value, None, origin)
    raise DataError(
        f"{origin}: gave a {type(value).__name__}",
        "Return arrays (x, y), x alone, a dict of inputs, or a tf.data.Dataset.",
    )


def _from_dataset(dataset: Any, origin: str, options: ReadOptions) -> RawData:
    """Collect a ``tf.data.Dataset``, batched or not, of ``x`` or ``(x, y)``."""
    if int(dataset.cardinality()) == -1:
        raise DataError(f"{origin}: the dataset repeats for ever", "End it with dataset.take(n).")
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
    many = count > options.limit
    note = f"only the first {options.limit:,} samples of the dataset were used" if many else ""
    inputs = _gathered(first, "x", columns)
    labels = _gathered(spec[1], "y", columns) if labelled else None
    return RawData(inputs, labels, origin, note=note)


def _leaves(item: Any, labelled: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Every array of one sample with a key that says where it stands."""
    for side, value in zip("xy", item if labelled else (item,), strict=False):
        if isinstance(value, Mapping):
            yield from ((f"{side}/{name}", part) for name, part in value.items())
        elif isinstance(value, tuple | list):
            yield from ((f"{side}/{number}", part) for number, part in enumerate(value))
        else:
            yield side, value


def _gathered(spec: Any, side: str, columns: dict[str, Rows]) -> Any:
    """Columns in the structure of the dataset's elements."""
    if isinstance(spec, Mapping):
        return {name: columns[f"{side}/{name}"].finish() for name in spec}
    if isinstance(spec, tuple | list):
        return [columns[f"{side}/{number}"].finish() for number in range(len(spec))]
    return columns[side].finish()


def _preprocessed(raw: RawData, how: str) -> RawData:
    if how == "none":
        return raw
    if how in _SCALES:
        function: Callable[[np.ndarray], np.ndarray] = lambda x: in_blocks(  # noqa: E731
            np.asarray(x), lambda rows: _SCALES[how](np.asarray(rows, np.float32)), np.float32
        )
    elif ":" in how:
        function = resolve_reference(how, "--preprocess")
    else:
        raise UsageError(
            f"--preprocess={how}: unknown", f"Use {', '.join(_SCALES)}, or module:function on the arrays."
        )
    if isinstance(raw.inputs, Mapping):
        inputs: Any = {name: function(x) for name, x in raw.inputs.items()}
    elif isinstance(raw.inputs, list | tuple):
        inputs = [function(x) for x in raw.inputs]
    else:
        inputs = function(raw.inputs)
    return replace(raw, inputs=inputs)

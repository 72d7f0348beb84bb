"""Open a ``.tflite`` with samples for it, and fix its open dimensions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tflite_compress.data.raw import SAMPLES, FileData, from_samples, read_samples, samples_for
from tflite_compress.data.sources import DataSource, Preprocess
from tflite_compress.runtimes.resize_file import (
    file_input_sizes,
    is_open,
    resize_file,
    suggest_working_shapes,
)
from tflite_compress.support.errors import UsageError
from tflite_compress.support.input_shape import InputShape, Shape, choose_shapes, describe_open, show_shape
from tflite_compress.tflite.integrity import read_validated
from tflite_compress.tflite.tensor_specs import Signature, read_signature


@dataclass(frozen=True)
class OpenedFile:
    """A ``.tflite`` with fixed shapes, and samples for it.

    Attributes:
        content: The file's bytes; open dimensions besides the batch are fixed.
        signature: Its inputs and outputs.
        samples: Samples for its inputs.
        is_real: True if the samples are the user's, False if they are random.
        sizes: The sizes that open dimensions got, in words; None if there are none.
    """

    content: bytes
    signature: Signature
    samples: FileData
    is_real: bool
    sizes: str | None


def open_file(
    path: str | os.PathLike[str],
    data: DataSource | None,
    preprocess: Preprocess,
    input_shape: InputShape | None = None,
    count: int = SAMPLES,
    resize: bool = False,
) -> OpenedFile:
    """Read a ``.tflite`` and samples for it.

    Args:
        path: The file.
        data: The user's data source; None for random samples.
        preprocess: ``none``, ``unit``, ``symmetric``, or ``module:function``.
        input_shape: Sizes of the inputs without the batch, for open dimensions; those of the data by default.
        count: Number of random samples.
        resize: Resize images to the input.

    Raises:
        ModelError: The file is missing or damaged, or does not run with these sizes.
        DataError: The data do not fit the file.
        UsageError: Dimensions are open and neither data nor ``input_shape`` give their sizes.
    """
    return open_content(read_validated(Path(path)), data, preprocess, input_shape, count, resize)


def open_content(
    content: bytes,
    data: DataSource | None,
    preprocess: Preprocess,
    input_shape: InputShape | None = None,
    count: int = SAMPLES,
    resize: bool = False,
) -> OpenedFile:
    """Open a valid ``.tflite`` in memory; see :func:`open_file`."""
    content, sizes = with_input_shape(content, input_shape)
    signature = read_signature(content)
    opened = [spec for spec in signature.inputs if is_open(spec)]
    if not opened:
        samples, is_real = samples_for(signature, data, preprocess, count, resize)
        return OpenedFile(content, signature, samples, is_real, sizes)
    if data is None:
        shapes = file_input_sizes(signature.inputs)
        raise UsageError(
            describe_open({spec.name: shapes[spec.name] for spec in opened}),
            f"Give --data, or choose the sizes, for example --input-shape={suggest_working_shapes(content)}.",
        )
    found = read_samples(data, signature, preprocess, resize)
    pairs = zip(signature.inputs, found.inputs, strict=True)
    chosen = {spec.name: tuple(x.shape[1:]) for spec, x in pairs}
    content = resize_file(content, chosen)
    signature = read_signature(content)
    sizes = _in_words({spec.name: chosen[spec.name] for spec in opened}, "to the size of the data")
    return OpenedFile(content, signature, from_samples(found, signature), True, sizes)


def with_input_shape(content: bytes, input_shape: InputShape | None) -> tuple[bytes, str | None]:
    """Return the file with the sizes of inputs fixed, and these sizes in words.

    Args:
        content: A valid ``.tflite``.
        input_shape: Sizes of inputs; None changes nothing.

    Raises:
        UsageError: The sizes do not fit the inputs.
        ModelError: LiteRT does not run the file with these sizes.
    """
    signature = read_signature(content)
    if input_shape is None:
        return content, None
    chosen = choose_shapes(input_shape, file_input_sizes(signature.inputs))
    opened = {spec.name for spec in signature.inputs if is_open(spec)}
    if not opened & set(chosen):
        return content, None
    return resize_file(content, chosen), _in_words(
        {name: shape for name, shape in chosen.items() if name in opened}, "by --input-shape"
    )


def _in_words(shapes: dict[str, Shape], source: str) -> str:
    sizes = ", ".join(f"'{name}' {show_shape(shape)}" for name, shape in shapes.items())
    return f"open dimensions fixed {source}: input {sizes}"

"""Fix open dimensions of a ``.tflite``: give its inputs a size and record the shapes that follow."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import numpy as np

from tflite_compress.runtimes.isolated import job_folder, last_line, run_child
from tflite_compress.support.errors import ModelError
from tflite_compress.support.input_shape import (
    OpenShape,
    Shape,
    probe_shape,
    show_shape,
    suggest_shapes,
)
from tflite_compress.tflite.flatbuffer import pack, unpack
from tflite_compress.tflite.tensor_specs import FileTensorSpec, read_signature

REPLY_PREFIX = "tflite-compress-shapes:"


def is_open(spec: FileTensorSpec) -> bool:
    """Return True if a dimension besides the batch is open."""
    return any(d < 0 for d in spec.shape[1:])


def file_input_sizes(inputs: tuple[FileTensorSpec, ...]) -> dict[str, OpenShape]:
    """Return the shape of each input without the batch; an open dimension is None."""
    return {spec.name: tuple(None if d < 0 else d for d in spec.shape[1:]) for spec in inputs}


def resize_file(content: bytes, shapes: Mapping[str, Shape]) -> bytes:
    """Return the file with the sizes of its inputs fixed and the batch set to 1.

    LiteRT computes the shapes of all tensors of the main graph in a child process.

    Args:
        content: A valid ``.tflite``.
        shapes: Shape of each input with an open dimension, without the batch, by name.

    Raises:
        ModelError: LiteRT does not compute on inputs of these sizes.
    """
    inputs = read_signature(content).inputs
    whole = {
        spec.tensor: [*spec.fixed_shape[:1], *shapes.get(spec.name, spec.fixed_shape[1:])] for spec in inputs
    }
    zeros = tuple(np.zeros(whole[spec.tensor], spec.dtype) for spec in inputs)
    with job_folder(content, zeros) as folder:
        command = [sys.executable, "-m", "tflite_compress.runtimes.resize_child", str(folder)]
        done = run_child([*command, json.dumps(list(whole))], "LiteRT")
    replies = [line for line in done.stdout.splitlines() if line.startswith(REPLY_PREFIX)]
    if not replies:
        sizes = ", ".join(f"'{name}' {show_shape(shape)}" for name, shape in shapes.items())
        raise ModelError(
            f"LiteRT does not run the file with these sizes: input {sizes} ({last_line(done.stderr)})",
            "Choose other sizes: --input-shape.",
        )
    found: list[list[int]] = json.loads(replies[-1].removeprefix(REPLY_PREFIX))
    model = unpack(content)
    for tensor, shape in zip(model.subgraphs[0].tensors, found, strict=False):
        tensor.shape, tensor.shapeSignature = shape, None
    return pack(model)


def suggest_working_shapes(content: bytes) -> str:
    """Return sizes for ``--input-shape`` that LiteRT computes on; usual ones if none of a few works."""
    sizes = file_input_sizes(read_signature(content).inputs)
    for scale in (1, 4, 16):
        shapes = {name: probe_shape(shape, scale) for name, shape in sizes.items()}
        try:
            resize_file(content, shapes)
        except ModelError:
            continue
        return suggest_shapes({name: shape for name, shape in shapes.items()})
    return suggest_shapes(sizes)

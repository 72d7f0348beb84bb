"""The post-processing of detectors in C and Kotlin.

Each language has a frame, which selects detections as the evaluation does. The template of the head lies
beside its module and decodes a box. Both read outputs of the original model from those of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tflite_compress.bundling.detections import SHOWN_MIN, Detections
from tflite_compress.bundling.text import render
from tflite_compress.models.output_parts import OutputParts
from tflite_compress.scoring.box_functions import MAX_CANDIDATES
from tflite_compress.scoring.head_registry import all_heads, head_template
from tflite_compress.scoring.head_types import PortValue, Shapes
from tflite_compress.support.source_text import fill_template
from tflite_compress.tflite.tensor_specs import FileTensorSpec, read_signature

RANK = 3  # of outputs without the batch
ANCHOR_ROWS = 500  # of a string of Kotlin, which holds up to 65,535 bytes


@dataclass(frozen=True)
class _Piece:
    """A block of an output of the original model.

    Attributes:
        whole: Index of the output of the original model.
        output: Index of the file's output that holds the block.
        start, size: Place and size in the original output without the batch.
    """

    whole: int
    output: int
    start: tuple[int, ...]
    size: tuple[int, ...]


@dataclass(frozen=True)
class _Language:
    """How a language writes the values of the templates.

    Attributes:
        suffix: Of the heads' templates.
        frame: Template that selects detections.
        piece: Writes a piece.
        array: Writes an array of float numbers.
    """

    suffix: str
    frame: str
    piece: Callable[[_Piece], str]
    array: Callable[[np.ndarray], str]

    def value(self, value: PortValue) -> str:
        """Return a value as an expression."""
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, int) else f"{value!r}f"


def _numbers(values: np.ndarray | tuple[int, ...]) -> str:
    return ", ".join(map(str, values))


def _c_piece(piece: _Piece) -> str:
    return f"{{{piece.whole}, {piece.output}, {{{_numbers(piece.start)}}}, {{{_numbers(piece.size)}}}}}"


def _c_array(values: np.ndarray) -> str:
    rows = (", ".join(f"{float(x)!r}f" for x in row) for row in values)
    return "{\n    " + ",\n    ".join(rows) + "}"


def _kotlin_piece(piece: _Piece) -> str:
    places = f"intArrayOf({_numbers(piece.start)}), intArrayOf({_numbers(piece.size)})"
    return f"Piece({piece.whole}, {piece.output}, {places})"


def _kotlin_array(values: np.ndarray) -> str:
    """Return numbers as strings: a method of the Java virtual machine holds 64 KB of code."""
    starts = range(0, len(values), ANCHOR_ROWS)
    texts = [" ".join(repr(float(x)) for x in values[i : i + ANCHOR_ROWS].ravel()) for i in starts]
    quoted = ",\n            ".join(f'"{text}"' for text in texts)
    return (
        f"listOf(\n            {quoted}\n        )"
        ".flatMap { it.split(' ') }.map { it.toFloat() }.toFloatArray()"
    )


C = _Language(".h", "detections_c.h", _c_piece, _c_array)
KOTLIN = _Language(".kt", "detections.kt", _kotlin_piece, _kotlin_array)


def c_detections(found: Detections | None, content: bytes, name: str) -> bytes | None:
    """Return the post-processing as a C header; None for a user's function and a model that is no detector.

    Args:
        found: The detector; None for another model.
        content: The ``.tflite``.
        name: Name of the model as identifier.
    """
    return _ported(C, found, content, {"name": name, "guard": name.upper()})


def kotlin_detections(found: Detections | None, content: bytes, name: str, class_name: str) -> bytes | None:
    """Return the post-processing in Kotlin; None for a user's function and a model that is no detector.

    Args:
        found: The detector; None for another model.
        content: The ``.tflite``.
        name: Name of the model as identifier.
        class_name: Name of the model's Kotlin class.
    """
    return _ported(KOTLIN, found, content, {"name": name, "Class": class_name})


def _ported(
    language: _Language, found: Detections | None, content: bytes, names: dict[str, str]
) -> bytes | None:
    if found is None or not found.is_known:
        return None
    detector, head = found.detector, all_heads()[found.detector.head]
    if head.port is None:
        return None
    shapes, pieces = _layout(found, read_signature(content).outputs)
    port = head.port(detector.decoder, shapes)
    values = {key: language.value(value) for key, value in port.values.items()}
    decoder = fill_template(head_template(head.name, language.suffix), **names, **values)
    return render(
        language.frame,
        **names,
        head=head.name,
        decoder=decoder.decode().rstrip(),
        pieces=", ".join(map(language.piece, pieces)),
        piece_count=len(pieces),
        boxes=port.boxes,
        classes=port.classes,
        candidates=min(MAX_CANDIDATES, port.classes * port.boxes),
        max_detections=detector.max_detections,
        max_iou=language.value(float(detector.max_iou)),
        keeps_overlaps=language.value(detector.max_iou >= 1),
        min_score=language.value(SHOWN_MIN),
    )


def _layout(found: Detections, specs: tuple[FileTensorSpec, ...]) -> tuple[Shapes, list[_Piece]]:
    """Return the shapes of the original model's outputs without the batch, and the pieces of all of them."""
    names = [spec.name for spec in specs]
    shapes, pieces = [], []
    for whole, source in enumerate([one.source for one in found.joined] or list(found.outputs)):
        shape = _shape(source, specs)
        shapes.append(shape)
        for name, start, size in _blocks(source, (0,) * len(shape), specs):
            filled = start + (0,) * (RANK - len(start)), size + (1,) * (RANK - len(size))
            pieces.append(_Piece(whole, names.index(name), *filled))
    return tuple(shapes), pieces


def _shape(source: str | OutputParts, specs: tuple[FileTensorSpec, ...]) -> tuple[int, ...]:
    if isinstance(source, str):
        return next(spec.fixed_shape[1:] for spec in specs if spec.name == source)
    shapes, axis = [_shape(part, specs) for part in source.parts], source.axis - 1
    joined = sum(shape[axis] for shape in shapes)
    return (*shapes[0][:axis], joined, *shapes[0][axis + 1 :])


def _blocks(
    source: str | OutputParts, start: tuple[int, ...], specs: tuple[FileTensorSpec, ...]
) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """Return name, start and size of each part."""
    if isinstance(source, str):
        yield source, start, _shape(source, specs)
        return
    axis = source.axis - 1
    for part in source.parts:
        yield from _blocks(part, start, specs)
        start = (*start[:axis], start[axis] + _shape(part, specs)[axis], *start[axis + 1 :])

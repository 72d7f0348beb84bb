"""The post-processing of YOLO heads in C and Kotlin.

Both read the values of a box from the outputs by one table, and suppress overlaps as the evaluation does.
"""

from __future__ import annotations

from dataclasses import dataclass

from tflite_compress.bundling.detections import SHOWN_MIN, Detections
from tflite_compress.bundling.text import render
from tflite_compress.models.output_parts import OutputParts
from tflite_compress.scoring.box_functions import MAX_CANDIDATES
from tflite_compress.scoring.heads.yolo_v5 import YoloV5
from tflite_compress.scoring.heads.yolo_v8 import YoloV8
from tflite_compress.tflite.tensor_specs import FileTensorSpec, read_signature


@dataclass(frozen=True)
class _Part:
    """A part of the values of each box.

    Attributes:
        output: Index of the file's output.
        values: Number of values of each box.
        is_column: True for shape (1, values, boxes), False for (1, boxes, values).
    """

    output: int
    values: int
    is_column: bool


def c_detections(found: Detections | None, content: bytes, name: str) -> bytes | None:
    """Return the post-processing as a C header; None for a head that only Python has.

    Args:
        found: The detector; None for another model.
        content: The ``.tflite``.
        name: Name of the model as identifier.
    """
    settings = _settings(found, content, "{{{output}, {values}, {is_column:d}}}")
    return None if settings is None else render("detections_c.h", name=name, guard=name.upper(), **settings)


def kotlin_detections(found: Detections | None, content: bytes, name: str, class_name: str) -> bytes | None:
    """Return the post-processing as a Kotlin file; None for a head that only Python has.

    Args:
        found: The detector; None for another model.
        content: The ``.tflite``.
        name: Name of the model as identifier.
        class_name: Name of the model's Kotlin class.
    """
    settings = _settings(found, content, "Part({output}, {values}, {is_column})")
    if settings is None:
        return None
    settings["parts"] = str(settings["parts"]).replace("True", "true").replace("False", "false")
    return render("detections.kt", name=name, Class=class_name, **settings)


def _settings(found: Detections | None, content: bytes, part: str) -> dict[str, object] | None:
    """Return the values of the templates."""
    if found is None or not isinstance(decoder := found.detector.decoder, YoloV5 | YoloV8):
        return None
    specs = read_signature(content).outputs
    parts = _parts(found, decoder, specs)
    if parts is None:
        return None
    boxes = {specs[one.output].fixed_shape[2 if one.is_column else 1] for one in parts}
    if len(boxes) != 1:
        return None
    start = 5 if isinstance(decoder, YoloV5) else 4
    classes, count = sum(one.values for one in parts) - start, boxes.pop()
    return {
        "head": found.detector.head,
        "parts": ", ".join(part.format(**vars(one)) for one in parts),
        "boxes": count,
        "classes": classes,
        "start": start,
        "has_objectness": str(start == 5).lower(),
        "from_logits": str(decoder.from_logits).lower(),
        "width": float(decoder.scale[0]),
        "height": float(decoder.scale[1]),
        "max_iou": found.detector.max_iou,
        "max_detections": found.detector.max_detections,
        "candidates": min(MAX_CANDIDATES, classes * count),
        "min_score": SHOWN_MIN,
    }


def _parts(
    found: Detections, decoder: YoloV5 | YoloV8, specs: tuple[FileTensorSpec, ...]
) -> list[_Part] | None:
    """Return the parts of a box's values in order; None if boxes themselves are in several outputs."""
    names = [spec.name for spec in specs]
    sources = [one.source for one in found.joined] or list(found.outputs)
    turned = decoder.are_columns if isinstance(decoder, YoloV8) else (False,) * len(decoder.parts)
    parts = []
    for index, is_column in zip(decoder.parts, turned, strict=True):
        source, axis = sources[index], 1 if is_column else 2
        if isinstance(source, OutputParts) and (source.axis != axis or len(source.names) > len(source.parts)):
            return None
        for name in source.names if isinstance(source, OutputParts) else (source,):
            output = names.index(name)
            parts.append(_Part(output, specs[output].fixed_shape[axis], is_column))
    return parts

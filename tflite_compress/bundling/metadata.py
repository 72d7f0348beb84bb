"""TFLite metadata inside a file: labels, normalization, names; read by Android's and MediaPipe's tools.

Source: ``metadata_schema.fbs`` of TensorFlow Lite Support. The library that writes it there is no longer
maintained and needs an old protobuf, so the few tables used are written here; tests read them back with it.
Associated files are appended as a zip archive, as that library does.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import flatbuffers

from tflite_compress.bundling.vectors import Preprocessing
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.tensor_specs import FileTensorSpec

ENTRY = b"TFLITE_METADATA"
IDENTIFIER = b"M001"
LABELS = "labels.txt"
MIN_PARSER = "1.0.0"
_FEATURES, _IMAGE = 1, 2
_RGB, _GRAYSCALE = 1, 2
_NORMALIZATION = 1
_AXIS_LABELS = 2


def add_metadata(
    content: bytes,
    name: str,
    inputs: tuple[FileTensorSpec, ...],
    outputs: tuple[FileTensorSpec, ...],
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
) -> bytes:
    """Embed metadata and the label file.

    Args:
        content: A ``.tflite``.
        name: Name of the model.
        inputs: Its inputs.
        outputs: Its outputs.
        preprocessing: Normalization of the inputs; left out where it is the user's own function.
        labels: Names of the classes of the first output; none leaves the file out.
    """
    model = unpack(content)
    generated = schema()
    model.metadata = [m for m in model.metadata or [] if m.name != ENTRY]
    buffer = generated.BufferT()
    buffer.data = list(_metadata(name, inputs, outputs, preprocessing, bool(labels)))
    entry = generated.MetadataT()
    entry.name, entry.buffer = ENTRY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata.append(entry)
    packed = pack(model)
    return packed + _archive({LABELS: "\n".join(labels) + "\n"}) if labels else packed


def _archive(files: dict[str, str]) -> bytes:
    """A zip with fixed dates, stored: what is appended is the same every time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return stream.getvalue()


def _metadata(
    name: str,
    inputs: tuple[FileTensorSpec, ...],
    outputs: tuple[FileTensorSpec, ...],
    preprocessing: Preprocessing,
    labelled: bool,
) -> bytes:
    b = flatbuffers.Builder(1024)
    in_tables = [_tensor(b, port, preprocessing if preprocessing.known else None, False) for port in inputs]
    out_tables = [_tensor(b, port, None, labelled and index == 0) for index, port in enumerate(outputs)]
    in_vector, out_vector = _vector(b, in_tables), _vector(b, out_tables)
    graph = _table(b, 9, {2: in_vector, 3: out_vector})
    model = _table(b, 8, {0: b.CreateString(name), 3: _vector(b, [graph]), 7: b.CreateString(MIN_PARSER)})
    b.Finish(model, IDENTIFIER)
    return bytes(b.Output())


def _tensor(b: Any, port: FileTensorSpec, normalization: Preprocessing | None, labelled: bool) -> int:
    """One ``TensorMetadata``: name, what it holds, how to normalize, its label file."""
    fields = {0: b.CreateString(port.name), 3: _content(b, port)}
    if normalization is not None:
        options = _table(b, 2, {0: _floats(b, normalization.mean), 1: _floats(b, normalization.std)})
        b.StartObject(2)
        b.PrependUint8Slot(0, _NORMALIZATION, 0)
        b.PrependUOffsetTRelativeSlot(1, options, 0)
        fields[4] = _vector(b, [b.EndObject()])
    if labelled:
        file_name = b.CreateString(LABELS)
        b.StartObject(5)
        b.PrependUOffsetTRelativeSlot(0, file_name, 0)
        b.PrependInt8Slot(2, _AXIS_LABELS, 0)
        fields[6] = _vector(b, [b.EndObject()])
    return _table(b, 7, fields)


def _content(b: Any, port: FileTensorSpec) -> int:
    """Image where the shape is that of one (1 or 3 channels), else features."""
    channels = port.shape[-1] if len(port.shape) == 4 else 0
    image = channels in (1, 3)
    b.StartObject(2 if image else 0)
    if image:
        b.PrependInt8Slot(0, _RGB if channels == 3 else _GRAYSCALE, 0)
    properties = b.EndObject()
    b.StartObject(3)
    b.PrependUint8Slot(0, _IMAGE if image else _FEATURES, 0)
    b.PrependUOffsetTRelativeSlot(1, properties, 0)
    return int(b.EndObject())


def _table(b: Any, slots: int, offsets: dict[int, int]) -> int:
    """A table whose fields are all references."""
    b.StartObject(slots)
    for slot, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return int(b.EndObject())


def _vector(b: Any, offsets: list[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _floats(b: Any, value: float) -> int:
    b.StartVector(4, 1, 4)
    b.PrependFloat32(value)
    return int(b.EndVector())

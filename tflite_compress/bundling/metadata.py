"""Add TFLite metadata to a file: labels, normalization, names. Android's and MediaPipe's tools read it.

Source: ``metadata_schema.fbs`` of TensorFlow Lite Support. That project's library is no longer maintained and
needs an old protobuf, so this module writes the few tables itself. Tests read them back with the library.
Associated files are appended as a zip archive, as the library does.
"""

from __future__ import annotations

import io
import zipfile

import flatbuffers

from tflite_compress.bundling.vectors import Preprocessing
from tflite_compress.tflite.flatbuffer import pack, schema, unpack
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature

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
    signature: Signature,
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
) -> bytes:
    """Embed metadata and the label file.

    Args:
        content: A ``.tflite``.
        name: Name of the model.
        signature: Its inputs and outputs.
        preprocessing: Normalization of the inputs; left out if it is the user's function.
        labels: Names of the classes of the first output; without any there is no label file.

    Returns:
        The ``.tflite`` with metadata.
    """
    model = unpack(content)
    generated = schema()
    model.metadata = [m for m in model.metadata or [] if m.name != ENTRY]
    buffer = generated.BufferT()
    buffer.data = list(_metadata(name, signature, preprocessing, bool(labels)))
    entry = generated.MetadataT()
    entry.name, entry.buffer = ENTRY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata.append(entry)
    packed = pack(model)
    return packed + _archive({LABELS: "\n".join(labels) + "\n"}) if labels else packed


def _archive(files: dict[str, str]) -> bytes:
    """Return an uncompressed zip archive with fixed dates, so that equal files give equal bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return stream.getvalue()


def _metadata(name: str, signature: Signature, preprocessing: Preprocessing, labelled: bool) -> bytes:
    b = flatbuffers.Builder(1024)
    in_tables = [
        _tensor(b, spec, preprocessing if preprocessing.is_known else None, False)
        for spec in signature.inputs
    ]
    out_tables = [
        _tensor(b, spec, None, labelled and index == 0) for index, spec in enumerate(signature.outputs)
    ]
    in_vector, out_vector = _vector(b, in_tables), _vector(b, out_tables)
    graph = _table(b, 9, {2: in_vector, 3: out_vector})
    model = _table(b, 8, {0: b.CreateString(name), 3: _vector(b, [graph]), 7: b.CreateString(MIN_PARSER)})
    b.Finish(model, IDENTIFIER)
    return bytes(b.Output())


def _tensor(
    b: flatbuffers.Builder, spec: FileTensorSpec, normalization: Preprocessing | None, labelled: bool
) -> int:
    """Write one ``TensorMetadata``: name, content type, normalization, label file."""
    fields = {0: b.CreateString(spec.name), 3: _content(b, spec)}
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


def _content(b: flatbuffers.Builder, spec: FileTensorSpec) -> int:
    """Write the content type: an image if the shape has 4 dimensions and 1 or 3 channels, else features."""
    channels = spec.shape[-1] if len(spec.shape) == 4 else 0
    image = channels in (1, 3)
    b.StartObject(2 if image else 0)
    if image:
        b.PrependInt8Slot(0, _RGB if channels == 3 else _GRAYSCALE, 0)
    properties = b.EndObject()
    b.StartObject(3)
    b.PrependUint8Slot(0, _IMAGE if image else _FEATURES, 0)
    b.PrependUOffsetTRelativeSlot(1, properties, 0)
    return int(b.EndObject())


def _table(b: flatbuffers.Builder, slots: int, offsets: dict[int, int]) -> int:
    """Write a table whose fields are all offsets."""
    b.StartObject(slots)
    for slot, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return int(b.EndObject())


def _vector(b: flatbuffers.Builder, offsets: list[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _floats(b: flatbuffers.Builder, value: float) -> int:
    b.StartVector(4, 1, 4)
    b.PrependFloat32(value)
    return int(b.EndVector())

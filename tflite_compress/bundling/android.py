"""The bundle for an Android app: the model with metadata, a Kotlin class, labels, vectors, Gradle lines."""

from __future__ import annotations

import numpy as np

from tflite_compress.bundling.metadata import add_metadata
from tflite_compress.bundling.text import render
from tflite_compress.bundling.vectors import Preprocessing, encode_json, make_vectors
from tflite_compress.data.raw import FileData
from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.support.errors import ModelError
from tflite_compress.support.source_text import class_name, identifier
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature, read_signature

# Kotlin's array for each type, and LiteRT's name for reading and writing it.
_KOTLIN = {
    "FLOAT32": ("FloatArray", "Float", "toFloat"),
    "INT8": ("ByteArray", "Int8", "toByte"),
    "INT32": ("IntArray", "Int", "toInt"),
    "INT64": ("LongArray", "Long", "toLong"),
}
_HALF_PRECISION_LOOSER = 200.0  # 2 % of the range: the GPU computes in float16
_ACCELERATORS = {"android-gpu": "GPU", "android-npu": "NPU"}


def android_bundle(
    content: bytes,
    device: Device,
    data: FileData,
    name: str,
    labels: tuple[str, ...],
    preprocessing: Preprocessing,
) -> dict[str, bytes]:
    """Files for an Android app; see ``make_bundle``."""
    accelerator = _ACCELERATORS.get(device.name, "CPU")
    looser = _HALF_PRECISION_LOOSER if accelerator == "GPU" else 1.0
    vectors = make_vectors(content, data, host_runtime(seconds=0), looser)
    ports = read_signature(content)
    name = identifier(name)
    file = add_metadata(content, name, ports.inputs, ports.outputs, preprocessing, labels)
    values = {
        "name": name,
        "Class": class_name(name),
        "device": device.title,
        "accelerator": accelerator,
        "vectors": len(vectors),
        "origin": vectors.origin,
        "tolerance": ", ".join(f"{t:g}" for t in vectors.tolerance),
        "preprocessing": _in_words(preprocessing),
        **_kotlin_parts(ports, preprocessing),
    }
    package = f"java/tflitecompress/{name}"
    files = {
        f"app/src/main/assets/{name}.tflite": file,
        f"app/src/main/{package}/{values['Class']}.kt": render("android_class.kt", **values),
        f"app/src/androidTest/assets/{name}_vectors.json": encode_json(vectors).encode(),
        f"app/src/androidTest/{package}/{values['Class']}Test.kt": render("android_test.kt", **values),
        "build.gradle.kts": render("android_gradle.kts", **values),
        "README.md": render("android_readme.md", **values),
    }
    if labels:
        files["app/src/main/assets/labels.txt"] = ("\n".join(labels) + "\n").encode()
    return files


def _in_words(preprocessing: Preprocessing) -> str:
    if not preprocessing.known:
        return f"your own function {preprocessing.name}, which `Input` has to do in Kotlin: see the TODO"
    return f"(value - {preprocessing.mean:g}) / {preprocessing.std:g}, done by the class"


def _kotlin_parts(ports: Signature, preprocessing: Preprocessing) -> dict[str, str]:
    """Signatures and conversions, one line for each input and output."""
    inputs = [_kotlin(p) for p in ports.inputs]
    arguments = ", ".join(f"input{i}: FloatArray" for i in range(len(inputs)))
    writes = "\n".join(
        f"        inputs[{i}].write{kind}({_to_raw(i, port, array, cast, preprocessing)})"
        for i, (port, (array, kind, cast)) in enumerate(zip(ports.inputs, inputs, strict=True))
    )
    reads = ",\n".join(
        f"            {_to_real(i, port, _kotlin(port)[1])}" for i, port in enumerate(ports.outputs)
    )
    raw_writes = "\n".join(
        f"        inputs[{i}].write{kind}({array}(values[{i}].size) {{ values[{i}][it].{cast}() }})"
        for i, (array, kind, cast) in enumerate(inputs)
    )
    raw_reads = ",\n".join(
        f"            outputs[{i}].read{_kotlin(p)[1]}().map {{ it.toDouble() }}"
        for i, p in enumerate(ports.outputs)
    )
    sizes = "\n".join(
        f"     *     input{i}: {p.name}, {' x '.join(map(str, p.fixed_shape))} values, row by row"
        for i, p in enumerate(ports.inputs)
    )
    todo = "" if preprocessing.known else f"\n        // TODO: {preprocessing.name} is not done here."
    return {
        "arguments": arguments,
        "writes": writes + todo,
        "reads": reads,
        "raw_writes": raw_writes,
        "raw_reads": raw_reads,
        "sizes": sizes,
    }


def _kotlin(port: FileTensorSpec) -> tuple[str, str, str]:
    if port.type not in _KOTLIN:
        raise ModelError(
            f"'{port.name}' is of type {port.type}, which LiteRT's Kotlin API cannot write",
            "Convert with --io=float32.",
        )
    return _KOTLIN[port.type]


def _to_raw(index: int, port: FileTensorSpec, array: str, cast: str, preprocessing: Preprocessing) -> str:
    """Kotlin that turns ``inputN`` into the tensor's type, normalized and quantized."""
    value = f"input{index}[it]"
    real = port.dtype.kind == "f" or port.is_quantized
    if real and preprocessing.known and (preprocessing.mean, preprocessing.std) != (0.0, 1.0):
        value = f"({value} - {preprocessing.mean}f) / {preprocessing.std}f"
    if port.is_quantized:
        low, high = (-128, 127) if port.type == "INT8" else (-32768, 32767)
        step = f"Math.rint((({value}) / {_float(port.scale)}).toDouble()).toInt() + {port.zero_point}"
        return f"{array}(input{index}.size) {{ ({step}).coerceIn({low}, {high}).{cast}() }}"
    return f"{array}(input{index}.size) {{ {value if cast == 'toFloat' else f'{value}.{cast}()'} }}"


def _to_real(index: int, port: FileTensorSpec, kind: str) -> str:
    """Kotlin that turns an output into real numbers."""
    raw = f"outputs[{index}].read{kind}()"
    if port.is_quantized:
        scale = _float(port.scale)
        return f"{raw}.let {{ raw -> FloatArray(raw.size) {{ (raw[it] - ({port.zero_point})) * {scale} }} }}"
    return raw if kind == "Float" else f"{raw}.let {{ raw -> FloatArray(raw.size) {{ raw[it].toFloat() }} }}"


def _float(value: float) -> str:
    """A float32 literal that reads back as the same number."""
    return f"{np.float32(value)!s}f"

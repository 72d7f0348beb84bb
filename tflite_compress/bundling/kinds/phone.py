"""The bundle for an Android app: model with metadata, Kotlin class, labels, test vectors, Gradle lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from tflite_compress.bundling.bundle_registry import BundleJob, register_bundle
from tflite_compress.bundling.detection_ports import kotlin_detections
from tflite_compress.bundling.float16 import float16_tolerance
from tflite_compress.bundling.gpu_parts import GpuParts, find_parts, python_values
from tflite_compress.bundling.kotlin_tail import KOTLIN, output_buffers, tail_fragments
from tflite_compress.bundling.metadata import add_metadata
from tflite_compress.bundling.text import render
from tflite_compress.bundling.vectors import (
    Preprocessing,
    Vectors,
    allowed_differences,
    encode_json,
    make_vectors,
)
from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.fold_shapes import DENSE_NOTE, store_densely
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.support.errors import ModelError
from tflite_compress.support.notes import Note
from tflite_compress.support.source_text import class_name, identifier
from tflite_compress.tflite.flatbuffer import read_tree
from tflite_compress.tflite.state import find_state
from tflite_compress.tflite.tensor_specs import FileTensorSpec, Signature, read_signature
from tflite_compress.timing.device_report import SCHEMA

Tolerances = dict[str, tuple[tuple[float, ...], str]]  # per output, and their rule, by accelerator

_STATEFUL = """
The model keeps a state from one `run` to the next: `run` goes on from the last call. Load the model again to
start a new sequence. The test vectors are one sequence.
"""
_VARIABLE_TENSORS = """
The state is in variable tensors. `CompiledModel` of LiteRT 2.3 did not load such models on x86-64 ("Variable
tensors not yet supported"). If it does not on your phone, use LiteRT's `Interpreter`.
"""


@register_bundle("android", "phone")
def make_phone_bundle(job: BundleJob) -> dict[str, bytes]:
    """Make the files for an Android app: the contents by path within the bundle.

    Raises:
        ModelError: LiteRT refuses the model, or its Kotlin API lacks the type of an input or output.
    """
    content, notes = _for_accelerator(job)
    vectors = make_vectors(content, job.data, host_runtime(seconds=0))
    parts = find_parts(job, content, vectors)
    signature = read_signature(content)
    name = identifier(job.name)
    head = content if parts is None else parts.split.head
    labels = job.labels if parts is None else ()  # they belong to outputs of the whole model
    file = add_metadata(head, name, read_signature(head), job.preprocessing, labels)
    tolerances = _tolerances(content, vectors, parts, {choice[0] for choice in _choices(job.device)})
    values = {
        **_description(job, vectors, tolerances),
        "states": _describe_state(content) if vectors.sequence is not None else "",
        "notes": "".join(f"\nIn the file, {note.text}.\n" for note in notes),
        **_kotlin_parts(signature, job.preprocessing, output_buffers(signature.outputs, parts)),
        **tail_fragments(name, parts),
    }
    package = f"java/tflitecompress/{name}"
    record = encode_json(vectors, {kind: allowed for kind, (allowed, _) in tolerances.items()})
    files = {
        f"app/src/main/assets/{name}.tflite": file,
        f"app/src/main/{package}/{values['Class']}.kt": render("android_class.kt", **values),
        f"app/src/main/{package}/{values['Class']}Vectors.kt": render("android_vectors.kt", **values),
        f"app/src/debug/assets/{name}_vectors.json": record.encode(),
        f"app/src/androidTest/{package}/{values['Class']}Test.kt": render("android_test.kt", **values),
        "build.gradle.kts": render("android_gradle.kts", **values),
        "README.md": render("android_readme.md", **values),
    }
    code = kotlin_detections(job.detections, content, name, class_name(name))
    if code is not None:
        files[f"app/src/main/{package}/{values['Class']}Detections.kt"] = code
    if parts is not None:
        tail = f"app/src/main/assets/{name}_tail.tflite"
        files[tail] = parts.split.tail
        run_both = python_values(parts, f"app/src/main/assets/{name}.tflite", tail)
        files["run_both.py"] = render("run_both.py.txt", name=name, **run_both)
    if job.labels:
        files["app/src/main/assets/labels.txt"] = ("\n".join(job.labels) + "\n").encode()
    return files


def _description(job: BundleJob, vectors: Vectors, tolerances: Tolerances) -> dict[str, object]:
    """Return what the templates say about model, device and test vectors."""
    choices, name = _choices(job.device), identifier(job.name)
    return {
        "name": name,
        "Class": class_name(name),
        "device": job.device.title,
        "choices": ",\n".join(f"            listOf({_qualified(choice)})" for choice in choices),
        "order": ", ".join(" and ".join(choice) for choice in choices),
        "schema": SCHEMA,
        "vectors": len(vectors),
        "origin": vectors.origin,
        "tolerances": "\n".join(
            f"| {kind} | {', '.join(f'{v:.3g}' for v in values)} | {rule} |"
            for kind, (values, rule) in tolerances.items()
        ),
        "preprocessing": _describe(job.preprocessing),
    }


def _for_accelerator(job: BundleJob) -> tuple[bytes, tuple[Note, ...]]:
    """Return the file as the device's accelerator computes it right, and notes on what was changed."""
    if not job.device.computes_on_gpu:
        return job.content, ()
    content, dropped = store_densely(job.content)
    return content, (DENSE_NOTE,) if dropped else ()


def _choices(device: Device) -> tuple[tuple[str, ...], ...]:
    """Return what the class compiles the model for, in its order: the accelerator, with the CPU, the CPU."""
    accelerator = device.runtime.accelerator
    if accelerator is None:
        return (("CPU",),)
    return ((accelerator.upper(),), (accelerator.upper(), "CPU"), ("CPU",))


def _qualified(choice: tuple[str, ...]) -> str:
    return ", ".join(f"Accelerator.{name}" for name in choice)


def _tolerances(
    content: bytes, vectors: Vectors, parts: GpuParts | None, accelerators: Collection[str]
) -> Tolerances:
    """Return the largest accepted differences per output by accelerator, and what they are derived from."""
    found = {"CPU": (vectors.tolerance, "what rounding of the same kernels explains")}
    if "GPU" in accelerators:
        half = float16_tolerance(content, vectors, parts)
        found["GPU"] = (half.values, half.rule)
    if "NPU" in accelerators:
        other = allowed_differences(content, vectors.expected, "other kernels")
        found["NPU"] = (other, "what rounding of other kernels explains; not measured")
    return found


def _describe_state(content: bytes) -> str:
    """Return the README's section on a model that keeps a state."""
    return _STATEFUL + (_VARIABLE_TENSORS if find_state(read_tree(content)).has_variable_tensors else "")


def _describe(preprocessing: Preprocessing) -> str:
    if not preprocessing.is_known:
        return f"your function {preprocessing.name}. Port it to Kotlin and call it before `run`"
    if (preprocessing.mean, preprocessing.std) == (0.0, 1.0):
        return "none, the model takes the values as they are"
    return f"(value - {preprocessing.mean:g}) / {preprocessing.std:g}, computed by the class"


def _kotlin_parts(
    signature: Signature, preprocessing: Preprocessing, buffers: Sequence[str]
) -> dict[str, str]:
    """Return the generated Kotlin: one line per input and output.

    Args:
        signature: The model's inputs and outputs.
        preprocessing: How samples are preprocessed.
        buffers: The Kotlin buffer of each output.
    """
    inputs = [_kotlin(p) for p in signature.inputs]
    arguments = ", ".join(f"input{i}: FloatArray" for i in range(len(inputs)))
    writes = "\n".join(
        f"        inputs[{i}].write{kind}({_to_raw(i, spec, array, cast, preprocessing)})"
        for i, (spec, (array, kind, cast)) in enumerate(zip(signature.inputs, inputs, strict=True))
    )
    reads = ",\n".join(
        f"            {_to_real(buffer, spec, _kotlin(spec)[1])}"
        for buffer, spec in zip(buffers, signature.outputs, strict=True)
    )
    raw_writes = "\n".join(
        f"        inputs[{i}].write{kind}({array}(values[{i}].size) {{ values[{i}][it].{cast}() }})"
        for i, (array, kind, cast) in enumerate(inputs)
    )
    raw_reads = ",\n".join(
        f"            {buffer}.read{_kotlin(p)[1]}().map {{ it.toDouble() }}"
        for buffer, p in zip(buffers, signature.outputs, strict=True)
    )
    sizes = "\n".join(
        f"     *     input{i}: {p.name}, {' x '.join(map(str, p.fixed_shape))} values in row-major order"
        for i, p in enumerate(signature.inputs)
    )
    note = (
        "" if preprocessing.is_known else f"\n        // Call your function {preprocessing.name} before run."
    )
    return {
        "arguments": arguments,
        "writes": writes + note,
        "reads": reads,
        "raw_writes": raw_writes,
        "raw_reads": raw_reads,
        "sizes": sizes,
    }


def _kotlin(spec: FileTensorSpec) -> tuple[str, str, str]:
    if spec.type not in KOTLIN:
        raise ModelError(
            f"'{spec.name}' is of type {spec.type}, which LiteRT's Kotlin API cannot write",
            "Convert with --io=float32.",
        )
    return KOTLIN[spec.type]


def _to_raw(index: int, spec: FileTensorSpec, array: str, cast: str, preprocessing: Preprocessing) -> str:
    """Return Kotlin that normalizes ``inputN`` and converts it to the tensor's type."""
    value = f"input{index}[it]"
    real = spec.dtype.kind == "f" or spec.is_quantized
    if real and preprocessing.is_known and (preprocessing.mean, preprocessing.std) != (0.0, 1.0):
        value = f"({value} - {preprocessing.mean}f) / {preprocessing.std}f"
    if spec.is_quantized:
        low, high = (-128, 127) if spec.type == "INT8" else (-32768, 32767)
        step = f"Math.rint((({value}) / {_float(spec.scale)}).toDouble()).toInt() + {spec.zero_point}"
        return f"{array}(input{index}.size) {{ ({step}).coerceIn({low}, {high}).{cast}() }}"
    return f"{array}(input{index}.size) {{ {value if cast == 'toFloat' else f'{value}.{cast}()'} }}"


def _to_real(buffer: str, spec: FileTensorSpec, kind: str) -> str:
    """Return Kotlin that converts an output to real numbers."""
    raw = f"{buffer}.read{kind}()"
    if spec.is_quantized:
        scale = _float(spec.scale)
        return f"{raw}.let {{ raw -> FloatArray(raw.size) {{ (raw[it] - ({spec.zero_point})) * {scale} }} }}"
    return raw if kind == "Float" else f"{raw}.let {{ raw -> FloatArray(raw.size) {{ raw[it].toFloat() }} }}"


def _float(value: float) -> str:
    """Return a float32 literal that parses to the same number."""
    return f"{np.float32(value)!s}f"

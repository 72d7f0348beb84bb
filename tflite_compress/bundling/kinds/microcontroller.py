"""The bundle for a microcontroller: C++ for TFLite Micro, for CMake and as an Arduino library."""

from __future__ import annotations

import numpy as np

from tflite_compress.bundling.bundle_registry import BundleJob, register_bundle
from tflite_compress.bundling.detection_ports import c_detections
from tflite_compress.bundling.npu import compile_for_device, explain_refusal
from tflite_compress.bundling.text import render
from tflite_compress.bundling.vectors import Vectors, make_vectors
from tflite_compress.profiles.devices import Npu, kernels_of
from tflite_compress.runtimes.operator_support import micro_has
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.runtimes.tflm_runtime import ARENA_ROUNDING, micro_runtime, reserve_arena
from tflite_compress.support.errors import CompressError, ModelError
from tflite_compress.support.source_text import identifier
from tflite_compress.tflite.flatbuffer import operator_names
from tflite_compress.tflite.tensor_specs import FileTensorSpec

_CPP_TYPES = {
    "FLOAT32": "float",
    "INT8": "int8_t",
    "UINT8": "uint8_t",
    "INT16": "int16_t",
    "INT32": "int32_t",
    "INT64": "int64_t",
    "BOOL": "bool",
}
_METHODS = {
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "BATCH_MATMUL": "BatchMatMul",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
    "TFLM_DECODE": "Decode",
    "ethos-u": "EthosU",
    "TFLite_Detection_PostProcess": "DetectionPostprocess",
}
_SIGNAL = "Signal"  # how TFLite Micro's library for audio names its operators; its methods leave it out
_A_LINE = 16
_STATEFUL = """
The model keeps a state from one `Invoke` to the next. Call `interpreter.Reset()` before each new sequence.
The vectors check both: each vector from a fresh state, and all vectors as one sequence.
"""


@register_bundle("cpp", "microcontroller")
def make_microcontroller_bundle(job: BundleJob) -> dict[str, bytes]:
    """Make the files for a microcontroller: the contents by path within the bundle.

    Raises:
        ModelError: TFLite Micro refuses the model, or the C++ lacks the type of an input or output.
    """
    content, device = job.content, job.device
    vectors = make_vectors(content, job.data, micro_runtime)
    arena = vectors.result.measurement("arena")
    if arena is None:
        raise ModelError("TFLite Micro reported no arena size")
    reserve = reserve_arena(content, arena.value, kernels_of(device))
    name = identifier(job.name)
    files = _sources(name, content, reserve, vectors, job.labels)
    values = {
        "name": name,
        "device": device.title,
        "arena": f"{reserve.value:,.0f}",
        "arena_how": reserve.source,
        "flash": f"{len(content):,}",
        "vectors": len(vectors),
        "origin": vectors.origin,
        "decode": _decode_note(content),
        "states": _STATEFUL if vectors.sequence is not None else "",
        "npu": "",
    }
    if device.npu is not None:
        npu_files, values["npu"] = _npu(name, content, device.npu)
        files |= npu_files
    files["README.md"] = render("micro_readme.md", **values)
    header = c_detections(job.detections, content, name)
    return files if header is None else {**files, f"src/{name}_detections.h": header}


def _sources(
    name: str, content: bytes, arena: Measurement, vectors: Vectors, labels: tuple[str, ...]
) -> dict[str, bytes]:
    """Return all source files and build files."""
    header = {"name": name, "guard": name.upper()}
    return {
        **_model_files("src", name, content),
        f"src/{name}_settings.h": render(
            "micro_settings.h",
            **header,
            arena=int(arena.value),
            arena_how=arena.source,
            inputs=_spec_constants("Input", vectors.signature.inputs),
            outputs=_spec_constants("Output", vectors.signature.outputs),
            labels=_labels(labels),
        ),
        f"src/{name}_vectors.h": render(
            "micro_vectors.h",
            **header,
            count=len(vectors),
            has_sequence="false" if vectors.sequence is None else "true",
            **_vector_tables(vectors, declare=True),
        ),
        f"src/{name}_vectors.cc": render(
            "micro_vectors.cc", **header, **_vector_tables(vectors, declare=False)
        ),
        f"src/{name}_run.h": render("micro_run.h", **header),
        f"src/{name}_run.cc": render("micro_run.cc", **header),
        "main.cc": render("micro_main.cc", **header),
        "helpers_check.cc": render("micro_helpers_check.cc", **header, **_helper_checks(vectors)),
        "CMakeLists.txt": render("micro_cmake.txt", **header),
        "library.properties": render("micro_library.properties", **header),
        f"examples/{name}_check/{name}_check.ino": render("micro_sketch.ino", **header),
    }


def _model_files(folder: str, name: str, content: bytes) -> dict[str, bytes]:
    """Return the model as a C++ constant, and the operators it needs."""
    header = {"name": name, "guard": name.upper()}
    kinds = sorted(set(operator_names(content)))
    calls = "\n".join(
        f"  if (resolver.{resolver_method(kind)}() != kTfLiteOk) return kTfLiteError;" for kind in kinds
    )
    return {
        f"{folder}/{name}_data.h": render("micro_data.h", **header, size=len(content)),
        f"{folder}/{name}_data.cc": render(
            "micro_data.cc", **header, size=len(content), rows=_bytes(content)
        ),
        f"{folder}/{name}_ops.h": render(
            "micro_ops.h", **header, count=len(kinds), calls=calls, kinds=", ".join(kinds)
        ),
    }


def resolver_method(operator: str) -> str:
    """Return the ``MicroMutableOpResolver`` method that adds an operator: ``CONV_2D`` → ``AddConv2D``.

    Raises:
        ModelError: It is a custom operator that TFLite Micro does not have.
    """
    if operator in _METHODS:
        return f"Add{_METHODS[operator]}"
    if not micro_has(operator):
        raise ModelError(f"TFLite Micro has no operator {operator}", "Use a built-in Keras layer.")
    if operator.upper() != operator:  # a custom operator, named as its method is
        return f"Add{operator.removeprefix(_SIGNAL)}"
    parts = operator.lower().split("_")
    return "Add" + "".join(p[:-1] + "D" if p[0].isdigit() and p[-1] == "d" else p.capitalize() for p in parts)


def _bytes(content: bytes) -> str:
    rows = (content[i : i + _A_LINE] for i in range(0, len(content), _A_LINE))
    return "\n".join("    " + " ".join(f"0x{b:02x}," for b in row) for row in rows)


def _spec_constants(side: str, specs: tuple[FileTensorSpec, ...]) -> str:
    """Return sizes, types and quantization of all inputs or outputs as C++ constants."""
    lines = [f"constexpr int k{side}s = {len(specs)};"]
    for index, spec in enumerate(specs):
        size = int(np.prod(spec.fixed_shape, dtype=np.int64))
        shape = " x ".join(map(str, spec.fixed_shape)) or "a single value"
        lines += [
            f"// {spec.name}: {shape}, {spec.type.lower()}",
            f"using {side}{index} = {_cpp_type(spec)};",
            f"constexpr int k{side}{index}Size = {size};",
            f"constexpr Quantization k{side}{index}Quantization = "
            f"{{{_float(spec.scale)}, {spec.zero_point}}};",
        ]
    return "\n".join(lines)


def _cpp_type(spec: FileTensorSpec) -> str:
    if spec.type not in _CPP_TYPES:
        message = f"'{spec.name}' is of type {spec.type}, which the C++ bundle does not support"
        raise ModelError(message, "Convert it with int8 or float32 inputs and outputs.")
    return _CPP_TYPES[spec.type]


def _float(value: float) -> str:
    text = repr(float(np.float32(value)))
    return f"{text}f" if "." in text or "e" in text or "n" in text else f"{text}.0f"


def _labels(labels: tuple[str, ...]) -> str:
    if not labels:
        return ""
    quoted = ", ".join('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in labels)
    return f"\nconstexpr const char* kLabels[] = {{{quoted}}};"


def _vector_tables(vectors: Vectors, declare: bool) -> dict[str, str]:
    """Return the test vectors' arrays, declared or defined, and tables of pointers to them."""
    signature = vectors.signature
    sides = (
        ("Input", signature.inputs, vectors.inputs),
        ("Expected", signature.outputs, vectors.expected),
        ("Sequence", signature.outputs, vectors.sequence or (None,) * len(signature.outputs)),
    )
    arrays, tables = [], []
    for side, ports, values in sides:
        names = []
        for index, (spec, array) in enumerate(zip(ports, values, strict=True)):
            if array is None:
                names.append("nullptr")
                continue
            kind, name, size = _cpp_type(spec), f"kVector{side}{index}", int(array[0].size)
            names.append(name)
            head = (
                f"extern const {kind} {name}[{len(vectors)}][{size}]"
                if declare
                else (f"alignas(16) const {kind} {name}[{len(vectors)}][{size}]")
            )
            arrays.append(f"{head};" if declare else f"{head} = {{\n{_rows(array)}\n}};")
        if not declare:
            rows = ", ".join(names)
            tables.append(f"const void* const k{side}Vectors[] = {{{rows}}};")
    if declare:
        return {"arrays": "\n".join(arrays)}
    tolerance = ", ".join(_float(t) for t in vectors.tolerance)
    return {"arrays": "\n\n".join(arrays), "tables": "\n".join(tables), "tolerance": tolerance}


def _rows(array: np.ndarray) -> str:
    rows = []
    for row in array.reshape(len(array), -1):
        cells = [_float(v) if row.dtype.kind == "f" else str(int(v)) for v in row.tolist()]
        lines = [", ".join(cells[i : i + _A_LINE]) for i in range(0, len(cells), _A_LINE)]
        rows.append("    {" + ",\n     ".join(lines) + "},")
    return "\n".join(rows)


def _helper_checks(vectors: Vectors) -> dict[str, str]:
    """Return the real values of the vectors' inputs, to check the quantization helpers."""
    arrays, checks = [], []
    for index, (spec, real) in enumerate(zip(vectors.signature.inputs, vectors.real, strict=True)):
        if not spec.is_quantized:
            continue
        size = int(vectors.inputs[index][0].size)
        table = np.asarray(real, np.float32).reshape(len(vectors), size)
        arrays.append(f"const float kReal{index}[{len(vectors)}][{size}] = {{\n{_rows(table)}\n}};")
        checks.append(
            f"  wrong += CheckInput<Input{index}>(kReal{index}[0], kVectorInput{index}[0], "
            f"{len(vectors)} * kInput{index}Size, kInput{index}Quantization);"
        )
    return {"arrays": "\n\n".join(arrays), "checks": "\n".join(checks)}


def _decode_note(content: bytes) -> str:
    if "TFLM_DECODE" not in operator_names(content):
        return ""
    return (
        "\nThe weights are encoded. The DECODE operator needs a TFLite Micro of late 2025 or later. If your "
        "vendor's version is older, use the plain file.\n"
    )


def _npu(name: str, content: bytes, npu: Npu) -> tuple[dict[str, bytes], str]:
    """Return the model compiled for the NPU with its operators, and the README's section on it."""
    compiled = compile_for_device(npu, content)
    if isinstance(compiled, CompressError):
        return {}, f"\n## On the NPU\n\n{explain_refusal(compiled)}\n"
    sram = compiled.result.measurement("sram")
    planned = sram.value if sram else 0
    arena = -(-int(planned + 4096) // ARENA_ROUNDING) * ARENA_ROUNDING
    files = {f"npu/{name}_vela.tflite": compiled.content, **_model_files("npu/src", name, compiled.content)}
    note = render(
        "micro_npu.md",
        name=name,
        vela=compiled.result.runtime,
        sram=f"{planned:,.0f}",
        arena=f"{arena:,}",
    ).decode()
    return files, note

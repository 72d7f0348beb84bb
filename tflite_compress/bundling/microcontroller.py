"""The bundle for a microcontroller: C++ for TFLite Micro, laid out for CMake and as an Arduino library."""

from __future__ import annotations

import numpy as np

from tflite_compress.bundling.npu import compile_for_device
from tflite_compress.bundling.text import render
from tflite_compress.bundling.vectors import Vectors, make_vectors
from tflite_compress.data.raw import FileData
from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.run_result import Arrays, RunResult
from tflite_compress.runtimes.tflm_runtime import ARENA_ROUNDING, micro_runtime
from tflite_compress.support.errors import ModelError
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
    "CIRCULAR_BUFFER": "CircularBuffer",
    "TFLite_Detection_PostProcess": "DetectionPostprocess",
}
_A_LINE = 16


def micro_bundle(
    content: bytes, device: Device, data: FileData, name: str, labels: tuple[str, ...]
) -> dict[str, bytes]:
    """Files for a microcontroller; see ``make_bundle``."""
    answers: list[RunResult] = []

    def asked(model: bytes, inputs: Arrays) -> RunResult:
        answers.append(micro_runtime(model, inputs))
        return answers[-1]

    vectors = make_vectors(content, data, asked)
    reserve = answers[0].measurement("arena to reserve")
    assert reserve is not None
    name = identifier(name)
    files = _sources(name, content, int(reserve.value), reserve.source, vectors, labels)
    values = {
        "name": name,
        "device": device.title,
        "arena": f"{reserve.value:,.0f}",
        "arena_how": reserve.source,
        "flash": f"{len(content):,}",
        "vectors": len(vectors),
        "origin": vectors.origin,
        "decode": _decode_note(content),
        "npu": "",
    }
    if device.npu is not None:
        npu_files, values["npu"] = _npu(name, content, device)
        files |= npu_files
    files["README.md"] = render("micro_readme.md", **values)
    return files


def _sources(
    name: str, content: bytes, arena_bytes: int, arena_how: str, vectors: Vectors, labels: tuple[str, ...]
) -> dict[str, bytes]:
    """Everything the compiler reads."""
    header = {"name": name, "guard": name.upper()}
    return {
        **_model_files("src", name, content),
        f"src/{name}_settings.h": render(
            "micro_settings.h",
            **header,
            arena=arena_bytes,
            arena_how=arena_how,
            inputs=_port_constants("Input", vectors.ports.inputs),
            outputs=_port_constants("Output", vectors.ports.outputs),
            labels=_labels(labels),
        ),
        f"src/{name}_vectors.h": render(
            "micro_vectors.h", **header, count=len(vectors), **_vector_tables(vectors, declare=True)
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
    """The model as a constant, and the operators it needs."""
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
    """The method of ``MicroMutableOpResolver`` that registers an operator: ``CONV_2D`` → ``AddConv2D``.

    Raises:
        ModelError: It is a custom operator TFLite Micro does not know.
    """
    if operator in _METHODS:
        return f"Add{_METHODS[operator]}"
    if not operator.replace("_", "").isalnum() or operator.upper() != operator:
        raise ModelError(f"TFLite Micro has no operator {operator}", "Rewrite that layer with built-in ones.")
    parts = operator.lower().split("_")
    return "Add" + "".join(p[:-1] + "D" if p[0].isdigit() and p[-1] == "d" else p.capitalize() for p in parts)


def _bytes(content: bytes) -> str:
    rows = (content[i : i + _A_LINE] for i in range(0, len(content), _A_LINE))
    return "\n".join("    " + " ".join(f"0x{b:02x}," for b in row) for row in rows)


def _port_constants(side: str, ports: tuple[FileTensorSpec, ...]) -> str:
    """Sizes, types and quantization of one side as C++ constants."""
    lines = [f"constexpr int k{side}s = {len(ports)};"]
    for index, port in enumerate(ports):
        size = int(np.prod(port.fixed_shape, dtype=np.int64))
        shape = " x ".join(map(str, port.fixed_shape)) or "a single value"
        lines += [
            f"// {port.name}: {shape}, {port.type.lower()}",
            f"using {side}{index} = {_cpp_type(port)};",
            f"constexpr int k{side}{index}Size = {size};",
            f"constexpr Quantization k{side}{index}Quantization = "
            f"{{{_float(port.scale)}, {port.zero_point}}};",
        ]
    return "\n".join(lines)


def _cpp_type(port: FileTensorSpec) -> str:
    if port.type not in _CPP_TYPES:
        raise ModelError(
            f"'{port.name}' is of type {port.type}, which the C++ bundle lacks", "Use int8 or float32."
        )
    return _CPP_TYPES[port.type]


def _float(value: float) -> str:
    text = repr(float(np.float32(value)))
    return f"{text}f" if "." in text or "e" in text or "n" in text else f"{text}.0f"


def _labels(labels: tuple[str, ...]) -> str:
    if not labels:
        return ""
    quoted = ", ".join('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in labels)
    return f"\nconstexpr const char* kLabels[] = {{{quoted}}};"


def _vector_tables(vectors: Vectors, declare: bool) -> dict[str, str]:
    """Arrays of the test vectors, declared or defined, and tables of pointers to them."""
    sides = (
        ("Input", vectors.ports.inputs, vectors.inputs),
        ("Expected", vectors.ports.outputs, vectors.expected),
    )
    arrays, tables = [], []
    for side, ports, values in sides:
        names = []
        for index, (port, array) in enumerate(zip(ports, values, strict=True)):
            kind, name, size = _cpp_type(port), f"kVector{side}{index}", int(array[0].size)
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
    """Real values of the vectors' inputs beside the raw ones, for the check of the helpers."""
    arrays, checks = [], []
    for index, (port, real) in enumerate(zip(vectors.ports.inputs, vectors.real, strict=True)):
        if not port.is_quantized:
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
        "\nWeights are encoded: the DECODE operator needs a TFLite Micro of late 2025 or later. If your "
        "vendor's is older, take the plain file.\n"
    )


def _npu(name: str, content: bytes, device: Device) -> tuple[dict[str, bytes], str]:
    """The model compiled for the NPU, with its own operators."""
    compiled, why_not = compile_for_device(device, content)
    if compiled is None:
        return {}, f"\n## On the NPU\n\n{why_not}\n"
    sram = compiled.answer.measurement("sram")
    planned = sram.value if sram else 0
    arena = -(-int(planned + 4096) // ARENA_ROUNDING) * ARENA_ROUNDING
    files = {f"npu/{name}_vela.tflite": compiled.content, **_model_files("npu/src", name, compiled.content)}
    note = render(
        "micro_npu.md",
        name=name,
        vela=compiled.answer.runtime,
        sram=f"{planned:,.0f}",
        arena=f"{arena:,}",
    ).decode()
    return files, note

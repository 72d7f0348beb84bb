"""Files with custom operators: a builtin operator of an assembled file becomes a custom one."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from flatbuffers import flexbuffers

from tflite_compress.runtimes.operator_support import micro_has
from tflite_compress.tflite.assemble import Assembly
from tflite_compress.tflite.flatbuffer import is_builtin, operator_name, pack, schema, unpack


def rename_operator(content: bytes, builtin: str, custom: str, **options: int) -> bytes:
    """Make every operator of one kind a custom operator."""
    model, generated = unpack(content), schema()
    for op in model.subgraphs[0].operators:
        if operator_name(model, op) == builtin:
            code = generated.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = generated.BuiltinOperator.CUSTOM
            code.customCode, code.version = custom, 1
            model.operatorCodes.append(code)
            op.opcodeIndex = len(model.operatorCodes) - 1
            op.builtinOptions, op.builtinOptionsType = None, 0
            op.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(options)), np.uint8)
    return pack(model)


def window_file() -> bytes:
    """A file that multiplies 16 samples of sound by a window: TFLite Micro's operator SignalWindow."""
    assembly = Assembly("window")
    sound = assembly.tensor("sound", (1, 16), "int16")
    window = assembly.constant("window", np.arange(16, dtype=np.int16) * 256)
    shaped = assembly.operator("ADD", [sound, window], "shaped", (1, 16), "int16")
    return rename_operator(
        assembly.finished({"sound": sound}, {"shaped": shaped}), "ADD", "SignalWindow", shift=12
    )


def deconvolution_file() -> bytes:
    """A file with MediaPipe's Convolution2DTransposeBias, which LiteRT has in its XNNPACK delegate alone."""
    assembly = Assembly("deconvolution")
    image = assembly.tensor("image", (1, 4, 4, 2), "float32")
    kernel = assembly.constant("kernel", np.ones((1, 2, 2, 2), np.float32))
    bias = assembly.constant("bias", np.zeros(1, np.float32))
    enlarged = assembly.operator("ADD", [image, kernel, bias], "enlarged", (1, 8, 8, 1), "float32")
    content = assembly.finished({"image": image}, {"enlarged": enlarged})
    model = unpack(rename_operator(content, "ADD", "Convolution2DTransposeBias"))
    same_padding, stride = 1, 2  # numbered from 1 in the kernel's own parameters
    parameters = np.array([same_padding, stride, stride], np.int32)
    model.subgraphs[0].operators[0].customOptions = parameters.view(np.uint8)
    return pack(model)


def micro_custom_operators() -> list[str]:
    """The custom operators that the installed TFLite Micro registers: names among its strings that it has."""
    spec = find_spec("tflite_micro.python.tflite_micro._runtime")
    assert spec is not None and spec.origin is not None
    words = re.findall(rb"(?<=\0)[A-Za-z][A-Za-z0-9_-]{2,60}(?=\0)", Path(spec.origin).read_bytes())
    names = sorted({word.decode() for word in words})
    return [name for name in names if not is_builtin(name) and micro_has(name)]

"""Ask TFLite Micro and LiteRT which operators they have.

Each question is a file with one operator. TFLite Micro looks up every operator of a file before it prepares
any, so a second operator that cannot exist ends the question before a kernel runs. LiteRT prepares custom
operators at once, so it is asked in a child process.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence

import msgspec
import numpy as np

from tflite_compress.runtimes.isolated import run_child
from tflite_compress.support.backend import native_noise_captured
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.flatbuffer import is_builtin, pack, schema

FLEX = "Flex"  # how LiteRT names TensorFlow's own operators, which need a library of their own
_OUTSIDE_SCHEMA = 40_000  # no builtin operator has this number
_ARENA_BYTES = 100_000
_STOPPED = "out of range"  # TFLite Micro's words on _OUTSIDE_SCHEMA, which it reaches if it has the operator
_UNRESOLVED = "unresolved custom op"  # LiteRT's words on a custom operator that it lacks


@functools.cache
def micro_has(name: str) -> bool:
    """Return True if TFLite Micro has an operator.

    Args:
        name: Its name in ``schema.fbs``, or a custom operator's name.
    """
    from tflite_micro.python.tflite_micro import runtime

    with native_noise_captured() as log:
        try:
            runtime.Interpreter.from_bytes(_file_of(name, stop=True), arena_size=_ARENA_BYTES)
        except (RuntimeError, ValueError):
            log.seek(0)
            return _STOPPED in log.read()
    raise ModelError("TFLite Micro accepts an operator outside the schema", "Update tflite-micro.")


def litert_lacks(names: Sequence[str]) -> tuple[str, ...]:
    """Return the operators that LiteRT lacks, in the given order; it has all builtin ones.

    Args:
        names: Names in ``schema.fbs``, or custom operators' names.
    """
    custom = (name for name in names if not is_builtin(name))
    return tuple(name for name in custom if name.startswith(FLEX) or not _litert_has(name))


@functools.cache
def _litert_has(name: str) -> bool:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = run_child([sys.executable, "-m", __name__, name], "LiteRT", environment=environment)
    except ModelError:
        return True  # its kernel crashed on made-up tensors, so there is one
    return done.stdout.strip() == "true"


def _file_of(name: str, stop: bool = False) -> bytes:
    """Return a file with one operator, then one that no runtime has if ``stop``."""
    generated = schema()
    numbers = vars(generated.BuiltinOperator)
    number = numbers[name] if is_builtin(name) else generated.BuiltinOperator.CUSTOM
    codes, operators = [], []
    for index, code_number in enumerate([number, _OUTSIDE_SCHEMA][: 1 + stop]):
        code = generated.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = code_number, min(code_number, 127)
        code.version, code.customCode = 1, None if is_builtin(name) else name
        op = generated.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = index, [0], [1]
        codes.append(code)
        operators.append(op)
    if name == "VAR_HANDLE":  # the Python wrapper reads the variable's name
        operators[0].builtinOptionsType = generated.BuiltinOptions.VarHandleOptions
        operators[0].builtinOptions = generated.VarHandleOptionsT()
    if not is_builtin(name):
        operators[0].customOptions = _no_options()
    tensors = [generated.TensorT() for _ in range(2)]
    for tensor in tensors:
        tensor.shape, tensor.name = [1, 4], "t"
    graph, model = generated.SubGraphT(), generated.ModelT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, operators, [0], [1]
    model.version, model.operatorCodes, model.subgraphs = 3, codes, [graph]
    model.buffers = [generated.BufferT()]
    return pack(model)


def _no_options() -> np.ndarray:
    """Return an empty map as the kernels of custom operators read it, uint8."""
    from flatbuffers import flexbuffers

    return np.frombuffer(bytes(flexbuffers.Dumps({})), np.uint8)


def _ask_litert(name: str) -> bool:
    from ai_edge_litert.interpreter import Interpreter

    try:
        Interpreter(model_content=_file_of(name)).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return _UNRESOLVED not in str(error)
    return True


if __name__ == "__main__":
    print(msgspec.json.encode(_ask_litert(sys.argv[1])).decode())

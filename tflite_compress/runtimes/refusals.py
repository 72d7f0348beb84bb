"""Why a runtime refuses a file, in the file's terms: operator, layer, types and shapes."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tflite_compress.runtimes.isolated import RUNNER, ChildError, job_folder, run_child
from tflite_compress.runtimes.operator_support import FLEX, litert_lacks, micro_has
from tflite_compress.support.errors import CompressError, ConversionError, ModelError
from tflite_compress.tflite.flatbuffer import is_builtin, operator_name, type_name
from tflite_compress.tflite.integrity import validate
from tflite_compress.tflite.layer_names import NO_LAYERS
from tflite_compress.tflite.scale_limits import Kernels, find_scale_faults
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.tflite.tree import Graph, ModelTree, Operator, Tensor, shape_of

RuntimeName = Literal["LiteRT", "TFLite Micro"]
MAX_TEXT = 240
_NO_REASON = "it gives no reason"
_TOO_SMALL = "Compress the Keras model again: conversion keeps scales above this value."
_TOO_LARGE = (
    "Divide both inputs of the comparison by the same constant in the Keras model, and convert again."
)
_ZERO = "Compress the Keras model again, calibrated with samples for which this tensor is not always zero."
MAX_INPUTS = 4
# How the interpreters name the operator that fails: LiteRT, then TFLite Micro.
_FAILED = (
    re.compile(r"Node number (?P<index>\d+) \((?P<kind>[^)]*)\) failed to (?:prepare|invoke)"),
    re.compile(r"Node (?P<kind>\S+) \(number (?P<index>\d+)f?\) failed to (?:prepare|invoke)"),
)
_NOISE = (
    re.compile(r"^(INFO|WARNING|W0000|I0000|Traceback|\s*File |\s*\^|\s{4}).*$", re.MULTILINE),
    re.compile(r"See instructions: \S+?(?=Node number|\s|$)"),
    re.compile(r"\b\S+\.(?:cc|h|cpp):\d+\s*"),
    re.compile(r"\b(?:RuntimeError|ValueError): "),
)
_NODE = re.compile(r"Node (?:number \d+ \([^)]*\)|\S+ \(number \d+f?\)) failed to (?:prepare|invoke)[^.\n]*")
_UNEQUAL = re.compile(r"\((?P<found>[\w.-]+) != (?P<needed>[\w.-]+)\)")
_TYPES = re.compile(r"type|kTfLite(?:Float|U?Int|Bool)|[Hh]ybrid")


@dataclass(frozen=True)
class _Place:
    """An operator of a file."""

    graph: Graph
    index: int
    operator: Operator


def explain_refusal(content: bytes, log: str, runtime: RuntimeName) -> str:
    """Return why a runtime refuses a file.

    Args:
        content: The ``.tflite``.
        log: What the interpreter printed or raised.
        runtime: The runtime.

    Returns:
        Operator, layer, types and shapes with the reason, where the interpreter tells them; else its own
        words without positions in its source code.
    """
    try:
        tree = validate(content)
    except ModelError as error:
        return error.message
    place = _find_place(tree, log)
    if place is not None:
        return f"{_describe(tree, place)}: {_reason(tree, place, log, runtime)}"
    missing = _find_missing(tree, log, runtime)
    if missing is not None:
        name = operator_name(tree, missing.operator)
        what = "operator" if is_builtin(name) else "custom operator"
        return f"{_describe(tree, missing)}: {runtime} has no {what} of this name"
    if "delegate" in log.lower():
        return _without_delegate(content)
    return clean(log)


def explain_scales(tree: ModelTree, kernels: Kernels) -> ConversionError | None:
    """Return an error for the first operator with a scale that its kernel does not take; None if none has.

    Args:
        tree: A decoded file.
        kernels: The kernels that run the file.
    """
    for fault in find_scale_faults(tree):
        if kernels in fault.kernels:
            place = _Place(fault.graph, fault.index, fault.graph.operators[fault.index])
            hint = _TOO_LARGE if fault.scale > fault.low else _TOO_SMALL if fault.scale > 0 else _ZERO
            return ConversionError(f"{_describe(tree, place)}: {fault}", hint)
    return None


def explain_crash(content: bytes, crash: ChildError, kernels: Kernels) -> ChildError:
    """Return the error of a runtime that crashed, with the operator where the file tells which one it was.

    Args:
        content: The ``.tflite``.
        crash: What happened to the child process.
        kernels: The kernels that ran.
    """
    reason = explain_scales(validate(content), kernels) if crash.cause == "crash" else None
    if reason is None:
        return crash
    message = f"{crash.message}: {reason.message}"
    return ChildError(message, str(reason.hint), crash.cause, crash.output, crash.log)


def clean(log: str) -> str:
    """Return an interpreter's words on one line, without source positions and addresses, and not too long."""
    for pattern in _NOISE:
        log = pattern.sub(" ", log)
    text = " ".join(log.split()).rstrip(".")
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT].rpartition(" ")[0] + " ..."
    return text or _NO_REASON


def _find_place(tree: ModelTree, log: str) -> _Place | None:
    """Return the operator that the interpreter names; None for those of delegates."""
    found = next((match for pattern in _FAILED if (match := pattern.search(log))), None)
    if found is None:
        return None
    index, kind = int(found["index"]), found["kind"]
    for graph in tree.subgraphs or []:
        operators = list(graph.operators or [])
        if index < len(operators) and kind in ("CUSTOM", operator_name(tree, operators[index])):
            return _Place(graph, index, operators[index])
    return None


def _find_missing(tree: ModelTree, log: str, runtime: RuntimeName) -> _Place | None:
    """Return the first operator that the runtime lacks, if it says that it lacks one or gives no reason."""
    says_so = any(words in log for words in ("registration", "Didn't find op", "Registration failed"))
    if not says_so and clean(log) != _NO_REASON:
        return None
    for graph in tree.subgraphs or []:
        for index, op in enumerate(graph.operators or []):
            name = operator_name(tree, op)
            lacks = not micro_has(name) if runtime == "TFLite Micro" else bool(litert_lacks([name]))
            if lacks:
                return _Place(graph, index, op)
    return None


def _describe(tree: ModelTree, place: _Place) -> str:
    """Return an operator with its layer, types and shapes as text."""
    op, tensors = place.operator, place.graph.tensors
    kind = operator_name(tree, op)
    layer = NO_LAYERS.layer_of(tree, place.graph, op)
    named = f", layer '{layer[-80:]}'" if layer else ""
    inputs = _specs([tensors[int(i)] for i in op.inputs if i >= 0][:MAX_INPUTS])
    outputs = _specs([tensors[int(i)] for i in op.outputs][:MAX_INPUTS])
    return f"operator {place.index}, {kind}{named} ({inputs or 'nothing'} to {outputs or 'nothing'})"


def _specs(tensors: Sequence[Tensor]) -> str:
    specs = [f"{type_name(t.type).lower()} {'x'.join(map(str, shape_of(t)))}".rstrip() for t in tensors]
    return ", ".join(specs)


def _reason(tree: ModelTree, place: _Place, log: str, runtime: RuntimeName) -> str:
    kind = operator_name(tree, place.operator)
    if kind.startswith(FLEX) and not is_builtin(kind):
        return f"this is one of TensorFlow's own operators, which {runtime} has only with its Flex library"
    if "unresolved custom op" in log:
        return f"{runtime} has no custom operator of this name"
    unequal = _UNEQUAL.search(log)
    if unequal is not None and not unequal["found"][0].isalpha():
        return f"{runtime} needs equal sizes here, and finds {unequal['found']} and {unequal['needed']}"
    if unequal is not None:
        return f"{runtime} needs {unequal['needed'].lower()} here, and finds {unequal['found'].lower()}"
    if "not supported" in log or "nsupported" in log or ("was not true" in log and _TYPES.search(log)):
        types = {type_name(place.graph.tensors[int(i)].type) for i in place.operator.inputs if i >= 0}
        if "INT64" in types:
            return f"{runtime} has no kernel for int64 here; declare the inputs of the model as int32"
        return f"{runtime} has no kernel for these types"
    if "was not true" in log:
        return f"{runtime}'s kernel does not take these shapes, scales or options"
    if "resize buffer" in log or "arena" in log.lower():
        return "the tensor arena is too small"
    return clean(_NODE.sub(" ", log))


def _without_delegate(content: bytes) -> str:
    """Say what LiteRT's reference kernels say about a file that XNNPACK refuses."""
    blank = tuple(np.zeros((1, *s.fixed_shape), s.dtype) for s in read_signature(content).inputs)
    with job_folder(content, blank) as folder:
        command = [sys.executable, str(RUNNER), str(folder / "model.tflite"), "--reference", "--json"]
        try:
            done = run_child([*command, f"--vectors={folder / 'inputs.npz'}", "--seconds=0"], "LiteRT")
        except CompressError:
            return "XNNPACK refuses a part of the model, and the reference kernels crash on it"
    if done.returncode == 0:
        return "XNNPACK refuses a part of the model; LiteRT's reference kernels run it"
    if "delegate" in done.stderr.lower():
        return clean(done.stderr)
    return explain_refusal(content, done.stderr, "LiteRT")

"""Check that the device's runtime has every operator. The runtimes on this machine are asked."""

from __future__ import annotations

from collections.abc import Sequence

from tflite_compress.checking.advice import suggest_replacement
from tflite_compress.checking.compiled_files import Compiler, find_compiler, runs_compiled
from tflite_compress.checking.contents import Contents, Operator
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.gpu_findings import check_gpu
from tflite_compress.checking.verdict import Finding
from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.operator_support import litert_lacks, micro_has
from tflite_compress.support.errors import CompressError

MAX_NAMED = 4  # names listed per finding


def check_operators(evidence: Evidence, device: Device) -> list[Finding]:
    """Check that the device's runtime has every operator.

    LiteRT's kernels are not all that count: its XNNPACK delegate has custom operators of its own, which
    shows when LiteRT runs the file.

    Args:
        evidence: The file and the results of the runtimes.
        device: Any device but an Edge TPU, see :mod:`tflite_compress.checking.edgetpu`.
    """
    contents = evidence.contents
    kinds = tuple(dict.fromkeys(op.name for op in contents.operators))
    compiler = find_compiler(kinds)
    if compiler is not None:
        return [check_compiled(contents, device, compiler)]
    title = "TFLite Micro" if device.runtime.name == "tflm" else "LiteRT"
    missing = find_missing(kinds, device)
    if missing and device.runtime.name != "tflm" and not isinstance(evidence.litert, CompressError):
        found = [_in_delegate(contents, name) for name in missing]
    else:
        found = [_missing(contents, title, name) for name in missing]
    if device.runtime.accelerator == "gpu":
        return [*found, *check_gpu(evidence)]
    return found or [Finding("operators", True, f"{title} has all {len(kinds)} operators")]


def find_missing(names: Sequence[str], device: Device) -> tuple[str, ...]:
    """Return the operators that the device's runtime lacks, so that it refuses the file."""
    if device.runtime.name == "tflm":
        return tuple(name for name in names if not micro_has(name))
    return litert_lacks(names)


def check_compiled(contents: Contents, device: Device, compiler: Compiler) -> Finding:
    """Say whether a file that is already compiled for an accelerator suits the device."""
    if not runs_compiled(device, compiler):
        text = f"compiled by {compiler.name} for {compiler.target}, which {device.title} lacks"
        return Finding("operators", False, text, f"Check the file as it was before {compiler.name}.")
    left = [op for op in contents.operators if op.name != compiler.operator]
    inside = len(contents.operators) - len(left)
    text = f"already compiled by {compiler.name}: {inside} compiled, {len(left)} left to the CPU"
    missing = find_missing(tuple(dict.fromkeys(op.name for op in left)), device)
    if missing:
        return Finding(
            "operators", False, f"{text}, which lacks {', '.join(missing)}", suggest_replacement(missing[0])
        )
    names = ", ".join(dict.fromkeys(op.name for op in left))
    return Finding("operators", True if not left else None, f"{text}{f' ({names})' if names else ''}")


def name_layers(operators: Sequence[Operator]) -> str:
    """Return the layers of some operators as text: the first few, and how many more."""
    layers = list(dict.fromkeys(op.layer for op in operators if op.layer))
    if not layers:
        return f"{len(operators)} without a layer's name"
    more = f" and {len(layers) - MAX_NAMED} more" if len(layers) > MAX_NAMED else ""
    return f"layer {', '.join(layers[:MAX_NAMED])}{more}"


def _missing(contents: Contents, title: str, name: str) -> Finding:
    where = name_layers([op for op in contents.operators if op.name == name])
    return Finding("operators", False, f"{title} has no {name} ({where})", suggest_replacement(name))


def _in_delegate(contents: Contents, name: str) -> Finding:
    where = name_layers([op for op in contents.operators if op.name == name])
    return Finding("operators", True, f"of LiteRT, only the XNNPACK delegate has {name} ({where})")

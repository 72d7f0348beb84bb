"""Checks that need only the file: operators, types, shapes, quantization."""

from __future__ import annotations

from tflite_compress.checking.advice import suggest_replacement
from tflite_compress.checking.contents import Contents
from tflite_compress.checking.verdict import Finding
from tflite_compress.profiles.devices import Device, operator_sets

MAX_NAMED = 4  # names listed per finding


def check_operators(contents: Contents, device: Device) -> list[Finding]:
    """Check that the device's runtime has every operator."""
    if device.runtime.operators is None:
        custom = [op for op in contents.operators if op.name.startswith("Flex") or op.name == "TFLM_DECODE"]
        title, fails, missing = "LiteRT", True, custom
    else:
        known = operator_sets()[device.runtime.operators]
        title, fails = known.title, known.missing_means == "fails"
        missing = [op for op in contents.operators if op.name not in known.names]
    kinds = {op.name for op in contents.operators}
    if not missing:
        return [Finding("operators", True, f"{title} has all {len(kinds)} operators")]
    found = []
    for name in dict.fromkeys(op.name for op in missing):
        layers = list(dict.fromkeys(op.layer or "?" for op in missing if op.name == name))
        more = f" and {len(layers) - MAX_NAMED} more" if len(layers) > MAX_NAMED else ""
        where = f"layer {', '.join(layers[:MAX_NAMED])}{more}"
        ending = "" if fails else ": it runs on the CPU, and each switch between them takes time"
        text = f"{title} has no {name} ({where}){ending}"
        found.append(Finding("operators", False if fails else None, text, suggest_replacement(name)))
    return found


def check_types(contents: Contents, device: Device) -> list[Finding]:
    """Check that the device runs the precisions the operators compute in."""
    used = sorted(contents.precisions)
    unknown = [t for t in used if t not in device.precisions.supported]
    if unknown:
        text = f"computes in {', '.join(unknown)}; the device runs {', '.join(device.precisions.supported)}"
        return [Finding("types", False, text, f"Convert it with --recipe={device.default_recipe}.")]
    packed = [op for op in contents.operators if op.four_bit and op.name not in device.runtime.four_bit]
    if packed:
        kinds, layers = ", ".join(sorted({op.name for op in packed})), [op.layer for op in packed]
        text = f"no known kernel for 4-bit weights: {kinds} ({', '.join(layers[:MAX_NAMED])})"
        return [Finding("types", False, text, "Keep 8 bits there: --recipe=int8.")]
    if contents.has_trees:
        return [
            Finding("types", True, "decision trees: they compare in float32, whatever their tables' types")
        ]
    slow = [t for t in used if t not in device.precisions.fast]
    if slow:
        text = f"computes in {', '.join(used)}; fast here: {', '.join(device.precisions.fast)}"
        return [Finding("types", None, text, f"--recipe={device.default_recipe} may be faster.")]
    return [Finding("types", True, f"computes in {', '.join(used) or 'integers'}")]


def check_shapes(contents: Contents, device: Device) -> list[Finding]:
    """Check that the shapes are fixed, if the device needs fixed shapes."""
    opened = (*contents.open_batch, *contents.open_shapes)
    if not opened:
        return [Finding("shapes", True, "all fixed")]
    if device.runtime.name == "tflm" and not contents.open_shapes:
        text = f"the batch is left open in {len(opened)} tensors: judged as batch 1, as TFLite Micro runs it"
        return [Finding("shapes", None, text)]
    fixed_only = device.runtime.name != "litert" or device.kind == "accelerator" or device.npu is not None
    text = f"left open in {len(opened)} tensors: {', '.join(opened[:MAX_NAMED])}"
    if fixed_only:
        return [Finding("shapes", False, text, "Convert it with fixed sizes and batch 1.")]
    return [Finding("shapes", None, text, "Delegates need fixed sizes; convert with batch 1.")]


def check_quantization(contents: Contents, device: Device) -> list[Finding]:
    """Check that integer tensors have scales, and that int8 weights are symmetric."""
    found = []
    if contents.unquantized:
        text = f"integer tensors without a scale: {', '.join(contents.unquantized[:MAX_NAMED])}"
        found.append(Finding("quantization", False, text, "Convert it again with a representative dataset."))
    if contents.asymmetric:
        text = f"int8 weights with a zero point other than 0: {', '.join(contents.asymmetric[:MAX_NAMED])}"
        refused = device.runtime.name != "litert"
        hint = "Convert it with a current converter: its int8 weights are symmetric."
        found.append(Finding("quantization", False if refused else None, text, hint))
    return found

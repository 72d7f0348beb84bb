"""Checks that need only the file: types, shapes, quantization."""

from __future__ import annotations

from tflite_compress.checking.contents import Contents
from tflite_compress.checking.verdict import Finding
from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.litert_web import check_web_types
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.tensor_specs import read_signature
from tflite_compress.tflite.tree import ModelTree

REBUILD = "Convert it with fixed sizes (--input-shape of compress), or deploy the file that 'bundle' writes."
MAX_NAMED = 4  # names listed per finding


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


def check_page_types(tree: ModelTree, device: Device) -> list[Finding]:
    """Check that a browser's LiteRT.js reads and writes the types of inputs and outputs."""
    if device.kind != "browser":
        return []
    try:
        check_web_types(read_signature(tree))
    except ModelError as error:
        return [Finding("types", False, error.message, error.hint)]
    return []


def check_shapes(contents: Contents, device: Device, sizes: str | None = None) -> list[Finding]:
    """Check that the shapes are fixed, if the device needs fixed shapes.

    Args:
        contents: The file's contents, with open dimensions besides the batch fixed.
        device: The device's profile.
        sizes: How they were fixed, in words; None if the file leaves none open.
    """
    if sizes is not None:
        if device.kind == "browser":
            return [Finding("shapes", None, f"{sizes}; LiteRT.js takes no open sizes", REBUILD)]
        if _needs_fixed_shapes(device):
            text = f"{sizes}; the file leaves them open, and TFLite Micro and NPU compilers need fixed ones"
            return [Finding("shapes", False, text, REBUILD)]
        return [Finding("shapes", None, f"{sizes}; on the device, call resize_tensor_input first", REBUILD)]
    compiles = device.runtime.name == "edgetpu" or device.npu is not None
    if contents.open_batch and device.kind == "browser":
        text = "the batch is left open, and LiteRT.js takes no open sizes"
        return [Finding("shapes", None, text, "Deploy the file that 'bundle' writes: its batch is 1.")]
    if contents.open_shapes:
        names = contents.open_shapes
        text = f"left open in {len(names)} tensors: {', '.join(names[:MAX_NAMED])}"
        if _needs_fixed_shapes(device):
            return [Finding("shapes", False, text, "Convert it with fixed sizes and batch 1.")]
        return [Finding("shapes", None, text, "Delegates need fixed sizes; convert with batch 1.")]
    if contents.open_batch:
        text = f"the batch is left open in {len(contents.open_batch)} tensors"
        if device.runtime.name == "tflm":
            return [Finding("shapes", None, f"{text}: judged as batch 1, as TFLite Micro runs it")]
        ending = (
            ": not known whether its compiler takes it" if compiles else ": the application may choose it"
        )
        return [
            Finding("shapes", None, f"{text}{ending}", "Delegates need fixed sizes; convert with batch 1.")
        ]
    if contents.open_inside:
        names = contents.open_inside
        text = (
            f"the inputs are fixed, but {len(names)} tensors are left open ({', '.join(names[:MAX_NAMED])}): "
            "their size may depend on the values"
        )
        return [Finding("shapes", None, text, "Compare the outputs of several samples with verify.")]
    return [Finding("shapes", True, "all fixed")]


def _needs_fixed_shapes(device: Device) -> bool:
    return device.runtime.name != "litert" or device.kind == "accelerator" or device.npu is not None


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

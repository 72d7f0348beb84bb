"""What is in a ``.tflite``, on the terminal and as plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from tflite_compress.inspection.diff import COUNTS, Difference
from tflite_compress.inspection.inspect_file import Inspection
from tflite_compress.inspection.weights import WeightTensor
from tflite_compress.runtimes.resize_file import file_input_sizes, is_open
from tflite_compress.support.input_shape import suggest_shapes
from tflite_compress.support.quantities import (
    format_byte_change,
    format_bytes,
    format_number,
    format_share,
)
from tflite_compress.support.terminal import Grid, console, grid
from tflite_compress.tflite.tensor_specs import FileTensorSpec

SCHEMA = 1


def print_inspection(found: Inspection) -> None:
    """Ports, bytes by part, operators, weights by layer."""
    out = console()
    missing = f" (not counted: {', '.join(found.uncounted)})" if found.uncounted else ""
    out.print(
        f"{found.path}: {format_bytes(found.bytes)}, {format_number(found.macs)} MACs{missing}", markup=False
    )
    for word, ports in (("input", found.inputs), ("output", found.outputs)):
        for port in ports:
            out.print(f"{word} {describe_port(port)}", markup=False)
    if any(is_open(port) for port in found.inputs):
        sizes = suggest_shapes(file_input_sizes(found.inputs))
        out.print(
            f"open dimensions count as 1 in MACs and arena; choose sizes, for example --input-shape={sizes}",
            markup=False,
        )
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.tensors.items())
    out.print(f"tensors: {kinds}", markup=False)
    out.print(
        f"arena: at least {format_bytes(found.activations_bytes)} of activations (estimated from the file; "
        "'check' asks the runtime)",
        markup=False,
    )
    table = grid("where the bytes go", "size", "share", right=(1, 2))
    for part, count in found.parts.items():
        table.add_row(part, format_bytes(count), format_share(count / found.bytes))
    out.print(table)
    out.print(_operators(found))
    if found.weights:
        out.print(_weights(found.weights))
        spare = found.weight_bytes - found.lossless_bytes
        out.print(
            f"weights hold {format_bytes(found.lossless_bytes)} of information in "
            f"{format_bytes(found.weight_bytes)}: lossless coding of single values could still "
            f"save up to {format_bytes(spare)}",
            markup=False,
        )


def _operators(found: Inspection) -> Grid:
    table = grid("operator", "count", "MACs", "types", right=(1, 2))
    for kind, count in Counter(op.name for op in found.operators).most_common():
        rows = [op for op in found.operators if op.name == kind]
        macs = sum(op.macs or 0 for op in rows)
        shown = "?" if any(op.macs is None for op in rows) else format_number(macs) if macs else ""
        table.add_row(kind, str(count), shown, ", ".join(sorted({op.type for op in rows})))
    return table


def _weights(weights: tuple[WeightTensor, ...]) -> Grid:
    headings = ("layer", "type", "shape", "size", "zeros", "values", "bits per weight", "scales")
    table = grid(*headings, right=(3, 4, 5, 6, 7))
    for w in weights:
        table.add_row(*weight_cells(w))
    return table


def weight_cells(w: WeightTensor) -> tuple[str, ...]:
    """Return layer, type, shape, size, zeros, distinct values, bits per weight and scales, as text."""
    figures = (
        format_bytes(w.bytes),
        format_share(w.sparsity),
        format_number(w.distinct),
        format_number(w.entropy_bits),
    )
    return (w.layer, w.type, _shape(w.shape), *figures, str(w.scales or ""))


def print_difference(before: Inspection, after: Inspection, found: Difference) -> None:
    """Two files beside each other."""
    out = console()
    out.print(f"A: {before.path}\nB: {after.path}", markup=False)
    table = grid("", "A", "B", "B - A", right=(1, 2, 3))
    for name, (a, b) in found.figures.items():
        table.add_row(name, *difference_row(name, a, b))
    for name, (a, b) in found.operators.items():
        table.add_row(name, str(a), str(b), f"{b - a:+}")
    out.print(table)
    if found.layers:
        table = grid("weights that differ", "A", "B")
        for name, pair in found.layers.items():
            table.add_row(name, *("-" if w is None else weight_in_words(w) for w in pair))
        out.print(table)
    else:
        out.print("no weights differ in type, shape, zeros or entropy")


def inspection_record(found: Inspection) -> dict[str, object]:
    """Everything as plain data."""
    plain = asdict(found)
    for word in ("inputs", "outputs"):
        plain[word] = [asdict(port) for port in getattr(found, word)]
    extra = {"weight_bytes": found.weight_bytes, "lossless_bytes": found.lossless_bytes}
    return {"schema": SCHEMA, **plain, **extra, "activations_kind": "estimated"}


def difference_record(before: Inspection, after: Inspection, found: Difference) -> dict[str, object]:
    """A difference as plain data."""
    return {"schema": SCHEMA, "a": before.path, "b": after.path, **asdict(found)}


def difference_row(name: str, before: int, after: int) -> tuple[str, str, str]:
    """Return a figure of two files and its change, as text."""
    if name not in COUNTS:
        return format_bytes(before), format_bytes(after), format_byte_change(before, after)
    change = f"{'+' if after > before else '-'}{format_number(abs(after - before))}"
    return format_number(before), format_number(after), change if after != before else ""


def weight_in_words(w: WeightTensor) -> str:
    """Describe a weight tensor in one line."""
    size, zeros, bits = format_bytes(w.bytes), format_share(w.sparsity), format_number(w.entropy_bits)
    return f"{w.type} {_shape(w.shape)}, {size}, {zeros} zeros, {bits} bits per weight"


def describe_port(port: FileTensorSpec) -> str:
    """Return name, type, shape and quantization of an input or output."""
    scale = f", scale {port.scale:.6g}, zero point {port.zero_point}" if port.is_quantized else ""
    return f"{port.name}: {port.type} {_shape(port.shape)}{scale}"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"

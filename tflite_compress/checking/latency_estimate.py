"""Estimate the latency on a microcontroller from multiply-accumulates (MACs)."""

from __future__ import annotations

from tflite_compress.checking.contents import Contents
from tflite_compress.profiles.devices import Cycles, Device, cycle_table
from tflite_compress.runtimes.run_result import Measurement
from tflite_compress.support.quantities import format_number


def estimate_latency(contents: Contents, device: Device) -> Measurement | None:
    """Estimate the time per inference with CMSIS-NN's int8 kernels.

    Args:
        contents: The model.
        device: The board; its profile names a row of the table of cycles per MAC.

    Returns:
        Latency in ms with its range and the share of operators it covers; None if there is no table for the
        core, or the model is not int8.
    """
    if device.core.cycles is None or device.core.clock_mhz is None or contents.precisions != {"int8"}:
        return None
    table = cycle_table()[device.core.cycles]
    milliseconds = count_cycles(contents, table) / (device.core.clock_mhz * 1e3)
    how = (
        f"MACs times cycles per MAC of CMSIS-NN on {table.title} at {device.core.clock_mhz} MHz; "
        f"{_describe_coverage(contents)}"
    )
    return Measurement(
        "latency", milliseconds, "ms", "estimated", how, milliseconds * table.low, milliseconds * table.high
    )


def count_cycles(contents: Contents, table: Cycles) -> float:
    """Return the sum of the cycles of all operators whose work is counted."""
    each = {"conv": table.conv, "depthwise": table.depthwise, "dense": table.dense}
    return sum(
        op.macs * each[op.kind] if op.kind in each else op.elements * table.other
        for op in contents.operators
        if op.macs is not None
    )


def _describe_coverage(contents: Contents) -> str:
    """Return how many operators the estimate covers, and which it leaves out."""
    left = [op.name for op in contents.operators if op.macs is None]
    macs = sum(op.macs or 0 for op in contents.operators)
    total = len(contents.operators)
    text = f"covers {total - len(left)} of {total} operators and {format_number(macs)} MACs"
    return f"{text}, not {', '.join(dict.fromkeys(left))}" if left else text

"""Checks that need a runtime or an estimate: NPU, execution, flash, RAM, latency, accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tflite_compress.checking.compiled_files import find_compiler
from tflite_compress.checking.contents import Contents
from tflite_compress.checking.evidence import Evidence
from tflite_compress.checking.latency_estimate import estimate_latency
from tflite_compress.checking.model_findings import MAX_NAMED
from tflite_compress.checking.verdict import Finding, Limits, Subject
from tflite_compress.profiles.devices import Device, kernels_of
from tflite_compress.runtimes.run_result import Measurement, RunResult
from tflite_compress.runtimes.tflm_runtime import reserve_arena
from tflite_compress.support.errors import CompressError, TimeUsedError
from tflite_compress.support.quantities import (
    format_bytes,
    format_number,
    format_share,
    format_value,
    limit_in_kilobytes,
)

if TYPE_CHECKING:
    from tflite_compress.checking.accuracy import MeasuredAccuracy

MICRO_CORE_BYTES = 16 * 1024  # TFLite Micro's documentation
MICRO_KERNEL_BYTES = 4 * 1024  # rule of thumb
_MEASURE = "Measure it on the device: --ssh=HOST, or --benchmark-model=FILE for an Android phone."


def check_npu(evidence: Evidence, device: Device) -> list[Finding]:
    """Check how much of the model the device's NPU runs."""
    if device.npu is None:
        return []
    if find_compiler({op.name for op in evidence.contents.operators}) is not None:
        return []  # the operators' finding says it
    compiled = evidence.npu(device.npu)
    if isinstance(compiled, CompressError):
        return [Finding("NPU", None, compiled.message, compiled.hint)]
    share, sram = compiled.measurement("operators on the NPU"), compiled.measurement("sram")
    part = f"{share.value:.0%} of operators" if share else "the model"
    memory = f", {format_bytes(sram.value)} of SRAM" if sram else ""
    text = f"{compiled.runtime}: {part} on the NPU{memory}"
    left = "; ".join(note.text for note in compiled.notes[:MAX_NAMED]) or None
    return [
        Finding("NPU", True if share is None or share.value == 1 else None, text, left, measurement=share)
    ]


def check_execution(evidence: Evidence, device: Device) -> list[Finding]:
    """Check that the device's runtime runs the model here, and on the device if the user named one."""
    found = [_run_here(evidence, device)]
    measured = evidence.measured
    if isinstance(measured, TimeUsedError):
        found.append(_not_run(measured))
    elif isinstance(measured, CompressError):
        found.append(Finding("runs", False, f"on the device: {measured.message}", measured.hint))
    elif measured is not None:
        found.append(Finding("runs", True, f"on the device: {measured.runtime}"))
    return found


def _run_here(evidence: Evidence, device: Device) -> Finding:
    """Run the file in the device's runtime on this machine, if it is not compiled for an accelerator."""
    compiler = find_compiler({op.name for op in evidence.contents.operators})
    if compiler is not None:
        return Finding("runs", None, f"not tried: only {compiler.target} runs what {compiler.name} compiled")
    result = evidence.runtime_of(device)
    if isinstance(result, TimeUsedError):
        return _not_run(result)
    if isinstance(result, CompressError):
        return Finding("runs", False, result.message, result.hint)
    if device.runtime.name == "edgetpu":
        text = f"in {result.runtime} before compilation; on the TPU not tried: it needs edgetpu_compiler"
        return Finding("runs", None, text)
    return Finding("runs", True, f"in {result.runtime}, on this machine")


def _not_run(error: TimeUsedError) -> Finding:
    """Return what a runtime that had no time leaves unknown: whether the file runs at all."""
    return Finding("runs", None, error.message, error.hint, is_limited=True)


def check_flash(contents: Contents, device: Device, limits: Limits) -> list[Finding]:
    """Compare the flash for model and runtime with its limit."""
    if device.runtime.name == "tflm":
        kinds = len({op.name for op in contents.operators})
        code = MICRO_CORE_BYTES + MICRO_KERNEL_BYTES * kinds
        low, high = contents.bytes + code / 2, contents.bytes + 2 * code
        source = (
            f"model {format_bytes(contents.bytes)}; TFLite Micro about {format_bytes(code)}: 16 KB "
            f"core (its documentation), 4 KB for each of {kinds} operators (rule of thumb)"
        )
        flash = Measurement("flash", contents.bytes + code, "bytes", "estimated", source, low, high)
    else:
        source = "the file; the LiteRT library is about 15 MB more"
        flash = Measurement("flash", contents.bytes, "bytes", "measured", source)
    limit, is_limited = limits.flash_bytes or device.memory.flash_bytes, limits.flash_bytes is not None
    found = _compare("flash", flash, limit, is_limited, _make_smaller(device))
    if device.runtime.name != "tflm" or found.fits is not False or limit is None:
        return [found]
    return [_with_floor(found, flash.value - contents.bytes, limit, kinds)]


def _make_smaller(device: Device) -> str:
    """Return a hint with a recipe that the device runs."""
    recipe = "tiny-mcu" if device.runtime.decodes_weights else "channel-prune-int8"
    return f"Compress the Keras model with --recipe={recipe}."


def _with_floor(found: Finding, runtime_bytes: float, limit: float, kinds: int) -> Finding:
    """Say where the runtime alone exceeds the limit, so that no smaller model helps."""
    if runtime_bytes < limit:
        return found
    models = "no model" if limit <= MICRO_CORE_BYTES + MICRO_KERNEL_BYTES else "no such model"
    floor = f"the runtime with {kinds} operators takes about {format_bytes(runtime_bytes)}, so {models} fits"
    hint = "Choose a device with more flash ('tflite-compress devices')."
    if found.is_limited and found.measurement is not None and found.measurement.high is not None:
        hint = f"This file is accepted with --max-flash={limit_in_kilobytes(found.measurement.high)}."
    return replace(found, floor=floor, hint=hint)


def check_ram(evidence: Evidence, device: Device, limits: Limits) -> list[Finding]:
    """Compare the RAM the runtime needs with its limit."""
    is_limited = limits.ram_bytes is not None
    if device.runtime.name == "edgetpu":
        text = "unknown: edgetpu_compiler plans the on-chip memory"
        return [Finding("RAM", None, text, is_limited=is_limited)]
    if find_compiler({op.name for op in evidence.contents.operators}) is not None:
        text = "unknown: the file is compiled for an accelerator"
        return [Finding("RAM", None, text, is_limited=is_limited)]
    result = evidence.runtime_of(device)
    if isinstance(result, CompressError):
        reason = result.message if isinstance(result, TimeUsedError) else "the runtime refuses the model"
        return [Finding("RAM", None, f"unknown: {reason}", is_limited=is_limited)]
    arena = result.measurement("arena")
    ram = result.measurement("process memory")
    if arena is not None:
        ram = reserve_arena(evidence.content, arena.value, kernels_of(device))
        ram = ram if arena.low is None else replace(ram, low=arena.low)
    limit = limits.ram_bytes or device.memory.ram_bytes
    hint = "Reduce the input size, or the number of channels in the first layers."
    return [_compare("RAM", ram, limit, is_limited, hint)]


def check_latency(evidence: Evidence, device: Device, limits: Limits) -> list[Finding]:
    """Compare the latency, measured, simulated or estimated, with its limit."""
    is_limited = limits.latency_ms is not None
    measured = evidence.measured
    latency = measured.measurement("latency") if isinstance(measured, RunResult) else None
    if latency is None and device.npu is not None:
        latency = _npu_latency(evidence.npu(device.npu))
    is_partial = False
    if latency is None and device.npu is None:
        latency = estimate_latency(evidence.contents, device)
        is_partial = any(op.macs is None for op in evidence.contents.operators)
    if latency is None:
        text = "unknown: not measured on the device"
        return [Finding("latency", None, text, _MEASURE, is_limited=is_limited)]
    found = judge_latency(latency, limits.latency_ms, is_limited)
    if is_partial and found.fits:
        return [replace(found, fits=None, text=f"at least {found.text}", hint=_MEASURE)]
    return [found]


def judge_latency(latency: Measurement, limit_ms: float | None, is_limited: bool) -> Finding:
    """Compare a latency with its limit.

    Args:
        latency: In ms.
        limit_ms: The limit; None if there is none.
        is_limited: The user set the limit.
    """
    return _compare("latency", latency, limit_ms, is_limited, "Try --recipe=channel-prune-int8.")


def judge_accuracy(accuracy: MeasuredAccuracy, limit: float) -> Finding:
    """Compare a measured accuracy with the user's minimum, or an error with the user's maximum."""
    found, shown = accuracy.measurement, format_share if accuracy.is_share else format_number
    score = f"{found.unit} {shown(found.value)}"
    if found.low is not None and found.high is not None:
        score += f" ({shown(found.low)} to {shown(found.high)})"
    bound = "minimum" if accuracy.higher_is_better else "maximum"
    text = f"{score}, {found.kind}: {found.source}; {bound} {shown(limit)}"
    fits = found.value >= limit if accuracy.higher_is_better else found.value <= limit
    return Finding("accuracy", fits, text, "Choose a recipe that compresses less.", found, limit, True)


def _npu_latency(compiled: RunResult | CompressError) -> Measurement | None:
    """Return Vela's figure if it covers the whole model: it leaves out operators on the CPU."""
    if isinstance(compiled, CompressError):
        return None
    share = compiled.measurement("operators on the NPU")
    return compiled.measurement("latency") if share is not None and share.value == 1 else None


def _compare(
    subject: Subject, found: Measurement | None, limit: float | None, is_limited: bool, hint: str
) -> Finding:
    """Compare a figure with a limit; if its range includes the limit, the result is unknown."""
    if found is None:
        return Finding(subject, None, "unknown", is_limited=is_limited)
    if limit is None:
        return Finding(subject, None if is_limited else True, str(found), measurement=found)
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else found.high
    text = f"{found}; limit {format_value(limit, found.unit)}"
    if high <= limit:
        return Finding(subject, True, text, None, found, limit, is_limited)
    if low > limit:
        return Finding(subject, False, text, hint, found, limit, is_limited)
    return Finding(subject, None, f"{text}, within the range of the estimate", hint, found, limit, is_limited)

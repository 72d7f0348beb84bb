"""Errors of LiteRT's GPU accelerator, told from its log."""

from __future__ import annotations

import re
from typing import Literal

from tflite_compress.runtimes.isolated import MORE_MEMORY_HINT, ChildError
from tflite_compress.runtimes.refusals import clean, explain_refusal
from tflite_compress.support.errors import ModelError
from tflite_compress.tflite.tensor_specs import read_signature

Cause = Literal["crash", "time", "memory", "refused", "driver"]
WHAT = "the GPU accelerator"
_NO_MEMORY = ("bad_alloc", "OUT_OF_DEVICE_MEMORY", "OUT_OF_HOST_MEMORY", "MemoryError", "Out of memory")
_NO_MEMORY_FOR_IMPORTS = ("Memory allocation still failed", "failed to map segment from shared object\n")
_NO_ADAPTER = "No adapters found"
# The dynamic loader's words for too little memory; for other causes it adds the reason.
_NOT_LOADED = re.compile(r"^Warning: (\S+: failed to map segment from shared object)(?:: Cannot .*)?$", re.M)
DRIVER_HINT = "Run 'tflite-compress setup-gpu' and leave --gpu out, to use the software driver."
_ERROR = re.compile(r"^(?:ERROR:\s*|E\d{4} [\d:.]+\s+\d+ \S+\] )(?:\[\S+:\d+\]\s*)?")
_DYNAMIC = "dynamic-sized tensors"
_ON_CPU = "Run it on the phone's CPU: --device=android-cpu."
_OPEN = "Give sizes for its open dimensions, for example --input-shape=224x224x3."
_UNROLLED = "Unroll the LSTM or GRU, keras.layers.LSTM(..., unroll=True), or run it on the phone's CPU."


class GpuError(ModelError):
    """The accelerator did not compile or run a file.

    Args:
        message: What happened, with the accelerator's own words.
        hint: What to do about it; None if nothing helps.
        cause: ``crash``, ``time`` (too slow), ``memory``, ``refused`` (by the loader), or ``driver`` (none).
        log: The accelerator's log.
    """

    def __init__(self, message: str, hint: str | None, cause: Cause, log: str) -> None:
        super().__init__(message, hint)
        self.cause = cause
        self.log = log


def refusal_error(content: bytes, error: str, log: str) -> GpuError:
    """Return an exception of the child as the error that it means."""
    both = f"{log}\n{error}"
    if any(word in both for word in _NO_MEMORY):
        return GpuError(f"{WHAT} runs out of memory", "Try a smaller model.", "memory", both)
    if _NO_ADAPTER in both and (library := _NOT_LOADED.search(log)):
        text = f"{WHAT} has too little memory to load the driver: {library[1]}"
        return GpuError(text, MORE_MEMORY_HINT, "memory", both)
    if _NO_ADAPTER in both:
        return GpuError(f"{WHAT} finds no usable GPU: {_driver_reason(log)}", DRIVER_HINT, "driver", both)
    reason = _loader_reason(content, both)
    return GpuError(f"{WHAT} refuses the model: {reason}", _refusal_hint(content, reason), "refused", both)


def _driver_reason(log: str) -> str:
    """Return why no driver can be used, in the words of the Vulkan loader or of the accelerator."""
    found = [line.removeprefix("Warning: ") for line in log.splitlines() if line.startswith("Warning: ")]
    reasons = [line for line in found if "artificially reduced" not in line]
    return clean(reasons[-1] if reasons else "the machine has none")


def _loader_reason(content: bytes, text: str) -> str:
    """Return the most telling line of the loader's log, with the operator and layer where it names one."""
    errors = [_ERROR.sub("", line).strip() for line in text.splitlines() if _ERROR.match(line)]
    told = [line for line in errors if line and not line.startswith("[")]
    told += [line.removeprefix("WARNING: ") for line in text.splitlines() if _DYNAMIC in line]
    if any(line.startswith("Node number") and "Delegate" not in line for line in told):
        return explain_refusal(content, "\n".join(told), "LiteRT")
    return clean(told[-1] if told else text.strip().splitlines()[-1])


def _refusal_hint(content: bytes, reason: str) -> str:
    """Return what to do about a refusal."""
    if "Variable tensors" in reason:
        return _UNROLLED
    if _DYNAMIC in reason and any(min(s.shape, default=1) < 1 for s in read_signature(content).inputs):
        return _OPEN
    return _ON_CPU


def ended_error(failure: ChildError | None, log: str) -> GpuError:
    """Return the error of the file at which the child ended without an answer."""
    if any(word in log for word in _NO_MEMORY):
        return GpuError(f"{WHAT} runs out of memory", "Try a smaller model.", "memory", log)
    if any(word in f"{log}\n" for word in _NO_MEMORY_FOR_IMPORTS):
        return GpuError(f"{WHAT} has too little memory to start", MORE_MEMORY_HINT, "memory", log)
    if failure is None:
        return GpuError(f"{WHAT} ends without an answer: {clean(log[-500:])}", None, "crash", log)
    return GpuError(failure.message, failure.hint, failure.cause, log)

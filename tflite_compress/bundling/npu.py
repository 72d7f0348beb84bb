"""Compile a model for a device's NPU."""

from __future__ import annotations

from tflite_compress.profiles.devices import Npu
from tflite_compress.runtimes.vela import Compiled, compile_for
from tflite_compress.support.errors import CompressError


def compile_for_device(npu: Npu, content: bytes) -> Compiled | CompressError:
    """Compile a model for an Ethos-U NPU.

    Args:
        npu: The NPU in the device's profile.
        content: The ``.tflite``.

    Returns:
        The compiled model, or the error that says why there is none.
    """
    try:
        return compile_for(content, npu.accelerator, npu.system_config, npu.memory_mode)
    except CompressError as error:
        return error


def explain_refusal(error: CompressError) -> str:
    """Return why a model is not compiled, as a sentence for a README."""
    return f"Not compiled for the NPU: {error.message}." + (f" {error.hint}" if error.hint else "")

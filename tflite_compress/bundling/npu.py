"""A device's neural processor: the model compiled for it, or why it is not."""

from __future__ import annotations

from tflite_compress.profiles.devices import Device
from tflite_compress.runtimes.vela import Compiled, compile_for
from tflite_compress.support.errors import CompressError


def compile_for_device(device: Device, content: bytes) -> tuple[Compiled | None, str]:
    """Compile for the device's Ethos-U.

    Args:
        device: A device with an NPU.
        content: The ``.tflite``.

    Returns:
        What Vela made, or None and why, as a sentence for a README.
    """
    npu = device.npu
    assert npu is not None
    try:
        return compile_for(content, npu.accelerator, npu.system_config, npu.memory_mode), ""
    except CompressError as error:
        return None, f"Not compiled for the NPU: {error.message}. {error.hint}"

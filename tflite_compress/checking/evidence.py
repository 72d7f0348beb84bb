"""What the runtimes say about a file, asked once for any number of devices."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from tflite_compress.checking.contents import Contents, read_contents
from tflite_compress.profiles.devices import Device, Npu
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.support.errors import CompressError
from tflite_compress.tflite.integrity import validate


@dataclass(eq=False)
class Evidence:
    """A file, and the runtimes' answers as far as they were asked for.

    Attributes:
        content: The ``.tflite``.
        inputs: Samples to run it on, raw, shape (samples, ...).
        on_device: A runtime on the device itself (SSH or adb), if the user named one.
    """

    content: bytes
    inputs: Arrays
    on_device: Runtime | None = None
    _compiled: dict[Npu, RunResult | CompressError] = field(default_factory=dict)

    @functools.cached_property
    def tree(self) -> Any:
        """The decoded file."""
        return validate(self.content)

    @functools.cached_property
    def contents(self) -> Contents:
        """What the file asks of a runtime."""
        return read_contents(self.tree, len(self.content))

    @functools.cached_property
    def micro(self) -> RunResult | CompressError:
        """TFLite Micro's answer, or why it has none."""
        from tflite_compress.runtimes.tflm_runtime import micro_runtime

        return _asked(micro_runtime, self.content, self.inputs)

    @functools.cached_property
    def litert(self) -> RunResult | CompressError:
        """LiteRT's answer on this machine, or why it has none."""
        from tflite_compress.runtimes.host import host_runtime

        return _asked(host_runtime(seconds=0), self.content, self.inputs)

    @functools.cached_property
    def measured(self) -> RunResult | CompressError | None:
        """The device's own answer, if the user named one."""
        return None if self.on_device is None else _asked(self.on_device, self.content, self.inputs)

    def npu(self, npu: Npu) -> RunResult | CompressError:
        """Vela's answer for an NPU, or why it has none."""
        from tflite_compress.runtimes.vela import vela_runtime

        if npu not in self._compiled:
            runtime = vela_runtime(npu.accelerator, npu.system_config, npu.memory_mode)
            self._compiled[npu] = _asked(runtime, self.content, ())
        return self._compiled[npu]

    def runtime_of(self, device: Device) -> RunResult | CompressError:
        """The answer of the runtime a device has."""
        return self.micro if device.runtime.name == "tflm" else self.litert


def _asked(runtime: Runtime, content: bytes, inputs: Arrays) -> RunResult | CompressError:
    try:
        return runtime(content, inputs)
    except CompressError as error:
        return error

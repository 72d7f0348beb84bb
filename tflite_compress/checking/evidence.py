"""The runtimes' results for a file, computed once for any number of devices."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tflite_compress.checking.contents import Contents, read_contents
from tflite_compress.profiles.devices import Device, Npu
from tflite_compress.runtimes.gpu_driver import GpuDriver
from tflite_compress.runtimes.gpu_plan import GpuPlan, ask_accelerator
from tflite_compress.runtimes.gpu_table import look_up
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.support.errors import CompressError
from tflite_compress.tflite.integrity import validate
from tflite_compress.tflite.tree import ModelTree


@dataclass(eq=False)
class Evidence:
    """A file, and the runtimes' results, computed when first needed.

    Attributes:
        content: The ``.tflite``.
        inputs: One raw array per input, shape (samples, ...), in the input's dtype.
        on_device: A runtime on the device itself (SSH or adb); None if the user named none.
        gpu_driver: Driver of the GPU accelerator: ``software``, or ``device`` for the machine's own GPU.
    """

    content: bytes
    inputs: Arrays
    on_device: Runtime | None = None
    gpu_driver: GpuDriver = "software"
    _compiled: dict[Npu, RunResult | CompressError] = field(default_factory=dict)

    @functools.cached_property
    def tree(self) -> ModelTree:
        """The decoded file."""
        return validate(self.content)

    @functools.cached_property
    def contents(self) -> Contents:
        """The file's operators, precisions and shapes."""
        return read_contents(self.tree, len(self.content))

    @functools.cached_property
    def micro(self) -> RunResult | CompressError:
        """TFLite Micro's result, or the error."""
        from tflite_compress.runtimes.tflm_runtime import micro_runtime

        return _run(micro_runtime, self.content, self.inputs)

    @functools.cached_property
    def litert(self) -> RunResult | CompressError:
        """LiteRT's result on this machine, or the error."""
        from tflite_compress.runtimes.host import host_runtime

        return _run(host_runtime(seconds=0), self.content, self.inputs)

    @functools.cached_property
    def measured(self) -> RunResult | CompressError | None:
        """The device's result, or the error; None if the user named no device."""
        return None if self.on_device is None else _run(self.on_device, self.content, self.inputs)

    def run_together(self, device: Device) -> None:
        """Run what a device needs at the same time: each runtime waits for a child process."""
        if device.runtime.accelerator != "gpu":
            return
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(lambda: self.gpu)
            self.runtime_of(device)
            answer.result()

    @functools.cached_property
    def gpu(self) -> GpuPlan | CompressError:
        """How the GPU accelerator divides the file, or the error."""
        try:
            return ask_accelerator(self.content, self.gpu_driver)
        except CompressError as error:
            return error

    def gpu_plan(self, device: Device) -> GpuPlan | None:
        """Return the accelerator's answer, or the table's; None for a device without that accelerator."""
        if device.runtime.accelerator != "gpu":
            return None
        return look_up(self.content) if isinstance(self.gpu, CompressError) else self.gpu

    def npu(self, npu: Npu) -> RunResult | CompressError:
        """Return Vela's result for an NPU, or the error."""
        from tflite_compress.runtimes.vela import vela_runtime

        if npu not in self._compiled:
            runtime = vela_runtime(npu.accelerator, npu.system_config, npu.memory_mode)
            self._compiled[npu] = _run(runtime, self.content, ())
        return self._compiled[npu]

    def runtime_of(self, device: Device) -> RunResult | CompressError:
        """Return the result of the runtime that a device has, or the error."""
        return self.micro if device.runtime.name == "tflm" else self.litert


def _run(runtime: Runtime, content: bytes, inputs: Arrays) -> RunResult | CompressError:
    try:
        return runtime(content, inputs)
    except CompressError as error:
        return error

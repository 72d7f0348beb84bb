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
from tflite_compress.runtimes.isolated import children_within
from tflite_compress.runtimes.run_result import Arrays, RunResult, Runtime
from tflite_compress.support.errors import CompressError, TimeUsedError
from tflite_compress.support.time_budget import NO_BUDGET, TimeBudget
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
        budget: Time for the runtimes. Those that it leaves no time give a :class:`TimeUsedError`.
    """

    content: bytes
    inputs: Arrays
    on_device: Runtime | None = None
    gpu_driver: GpuDriver = "software"
    budget: TimeBudget = NO_BUDGET
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

        return self._run("TFLite Micro", micro_runtime)

    @functools.cached_property
    def litert(self) -> RunResult | CompressError:
        """LiteRT's result on this machine, or the error."""
        from tflite_compress.runtimes.host import host_runtime

        return self._run("LiteRT", host_runtime(seconds=0))

    @functools.cached_property
    def measured(self) -> RunResult | CompressError | None:
        """The device's result, or the error; None if the user named no device."""
        return None if self.on_device is None else self._run("the device", self.on_device)

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
        if used := self._time_used("the GPU accelerator"):
            return used
        try:
            with children_within(self.budget):
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
            self._compiled[npu] = self._run("Vela", runtime, ())
        return self._compiled[npu]

    def runtime_of(self, device: Device) -> RunResult | CompressError:
        """Return the result of the runtime that a device has, or the error."""
        return self.micro if device.runtime.name == "tflm" else self.litert

    def _run(self, name: str, runtime: Runtime, inputs: Arrays | None = None) -> RunResult | CompressError:
        if used := self._time_used(name):
            return used
        try:
            with children_within(self.budget):
                return runtime(self.content, self.inputs if inputs is None else inputs)
        except CompressError as error:
            return error

    def _time_used(self, name: str) -> TimeUsedError | None:
        """Return the error for a runtime that the time budget leaves no time; None if it does."""
        if not self.budget.is_used:
            return None
        reason = f"the time budget of {self.budget.seconds:g} s was used"
        return TimeUsedError(f"{name} not run: {reason}", "Give it more time.")

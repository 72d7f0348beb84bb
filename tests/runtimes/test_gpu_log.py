"""The accelerator's log as values."""

from __future__ import annotations

from tflite_compress.runtimes.gpu_log import Refusal, read_log

ADAPTER = (
    "I0000 00:00:1 29625 environment.cc:532] Selected adapter: llvmpipe (LLVM 15.0.6, 256 bits), "
    "arch=software, vendor=mesa, backend=Vulkan, adapterType=CPU / Software\n"
)
STARTED = "I0000 00:00:1 29625 delegate_kernel.cc:984] Initializing WebGPU-based API from graph.\n"
REFUSED = "ERROR: Following operations are not supported by GPU delegate:\n"


def test_a_file_that_the_gpu_takes_whole() -> None:
    log = read_log(ADAPTER + STARTED)
    assert log.is_whole and log.on_gpu is None and log.on_cpu == 0 and log.refused == ()
    assert log.adapter is not None and log.adapter.is_software and log.adapter.vendor == "mesa"
    assert str(log.adapter) == "llvmpipe (LLVM 15.0.6, 256 bits), Vulkan"


def test_operators_that_the_gpu_refuses() -> None:
    text = f"{REFUSED}GATHER_ND: Operation is not supported.\nCAST: Tensor type(INT64) is not supported.\n"
    log = read_log(
        text
        + "112 operations will run on the GPU, and the remaining 45 operations will run on the CPU.\n"
        + STARTED
    )
    assert log.refused == (
        Refusal("GATHER_ND", "Operation is not supported"),
        Refusal("CAST", "Tensor type(INT64) is not supported"),
    )
    assert (log.on_gpu, log.on_cpu, log.is_whole) == (112, 45, False)


def test_a_file_that_the_cpu_computes_alone_is_not_whole() -> None:
    """``CompiledModel.is_fully_accelerated()`` is True for it."""
    log = read_log(
        f"{REFUSED}BROADCAST_TO: Operation is not supported.\n"
        "No operations will run on the GPU, and all 1 operations will run on the CPU.\n"
    )
    assert (log.on_gpu, log.on_cpu, log.is_whole, log.has_started) == (0, 1, False, False)


def test_without_an_adapter_nothing_is_whole() -> None:
    log = read_log("ERROR: [delegate_webgpu.cc:359] Failed to initialize: INTERNAL: No adapters found\n")
    assert log.adapter is None and not log.is_whole

"""Runtimes by name, as the command line gives them."""

from __future__ import annotations

from dataclasses import dataclass

from tflite_compress.runtimes.adb import Delegate, adb_runtime
from tflite_compress.runtimes.emulator import emulated_runtime
from tflite_compress.runtimes.host import host_runtime
from tflite_compress.runtimes.run_result import Runtime
from tflite_compress.runtimes.ssh import Host, ssh_runtime
from tflite_compress.runtimes.tflm_runtime import micro_runtime
from tflite_compress.runtimes.vela import vela_runtime
from tflite_compress.support.errors import UsageError, closest

NAMES = ("litert", "litert-reference", "tflm", "vela:NPU", "emulate", "ssh:HOST", "adb")


@dataclass(frozen=True)
class Remote:
    """How to reach and use devices.

    Attributes:
        port: SSH port; None for the default.
        python: Python on the SSH host.
        folder: Folder for temporary files on the SSH host.
        ssh_options: More options for OpenSSH.
        benchmark_model: The official binary for adb.
        delegate: ``cpu``, ``gpu`` or ``nnapi`` for adb.
        serial: Which phone.
        threads: CPU threads.
    """

    port: int | None = None
    python: str = "python3"
    folder: str = "/tmp"
    ssh_options: tuple[str, ...] = ()
    benchmark_model: str | None = None
    delegate: Delegate = "cpu"
    serial: str | None = None
    threads: int = 1

    def host(self, name: str) -> Host:
        """An SSH host with these settings."""
        return Host(name, self.port, self.python, self.folder, self.ssh_options)


def find_runtime(name: str, remote: Remote) -> Runtime:
    """The runtime a name stands for.

    Args:
        name: One of :data:`NAMES`.
        remote: Settings for devices.

    Raises:
        UsageError: There is no such runtime.
    """
    kind, _, detail = name.partition(":")
    if kind == "ssh" and detail:
        return ssh_runtime(remote.host(detail), remote.threads)
    if kind == "vela":
        return vela_runtime(detail or "ethos-u55-128")
    if name == "adb":
        if remote.benchmark_model is None:
            raise UsageError("adb needs --benchmark-model=FILE", "Name the official benchmark_model binary.")
        return adb_runtime(remote.benchmark_model, remote.delegate, remote.threads, remote.serial)
    simple = {
        "litert": host_runtime(remote.threads),
        "litert-reference": host_runtime(reference=True),
        "tflm": micro_runtime,
        "emulate": emulated_runtime,
    }
    if name not in simple:
        guess = closest(name, [*simple, "adb", "vela", "ssh"])
        raise UsageError(f"no runtime is called '{name}'.{guess}", f"Choose from {', '.join(NAMES)}.")
    return simple[name]

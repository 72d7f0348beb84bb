"""Find runtimes by name. A runtime's module registers itself with its name and requirement."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tflite_compress.runtimes.run_result import Runtime
from tflite_compress.runtimes.tolerances import Rounding
from tflite_compress.support.errors import UsageError, closest

if TYPE_CHECKING:
    from tflite_compress.runtimes.adb import Delegate
    from tflite_compress.runtimes.gpu_driver import GpuDriver


@dataclass(frozen=True)
class Remote:
    """How to reach and use devices.

    Attributes:
        port: SSH port; None for the default.
        python: Python on the SSH host.
        folder: Folder for temporary files on the SSH host.
        ssh_options: More options for OpenSSH, as after ``-o``.
        benchmark_model: The official ``benchmark_model`` binary for adb; None if there is none.
        delegate: ``cpu``, ``gpu`` or ``nnapi`` for adb.
        serial: Serial number of the phone; None if only one is connected.
        threads: CPU threads.
        gpu: Driver of the GPU accelerator: ``software``, or ``device`` for the machine's own GPU.
    """

    port: int | None = None
    python: str = "python3"
    folder: str = "/tmp"
    ssh_options: tuple[str, ...] = ()
    benchmark_model: str | None = None
    delegate: Delegate = "cpu"
    serial: str | None = None
    threads: int = 1
    gpu: GpuDriver = "software"


# Takes the part of the name after the colon (None if there is none) and the settings for devices.
RuntimeFactory = Callable[[str | None, Remote], Runtime]


@dataclass(frozen=True)
class RuntimeEntry:
    """A registered runtime.

    Attributes:
        name: The part of its name before the colon.
        selector: How to select it, for example ``ssh:HOST``.
        requirement: What must be installed to use it.
        factory: Returns the runtime.
        rounding: How its kernels round, compared with LiteRT's on this machine.
    """

    name: str
    selector: str
    requirement: str
    factory: RuntimeFactory
    rounding: Rounding = "same kernels"


_ENTRIES: dict[str, RuntimeEntry] = {}


def register_runtime(
    name: str, requirement: str, detail: str | None = None, rounding: Rounding = "same kernels"
) -> Callable[[RuntimeFactory], RuntimeFactory]:
    """Register the decorated function as the factory of a runtime.

    Args:
        name: Name of the runtime.
        requirement: What must be installed to use it.
        detail: What follows the name and a colon, for example ``HOST``; None if nothing does.
        rounding: How its kernels round, compared with those of the runtime it is compared with.
    """

    def add(factory: RuntimeFactory) -> RuntimeFactory:
        selector = name if detail is None else f"{name}:{detail}"
        _ENTRIES[name] = RuntimeEntry(name, selector, requirement, factory, rounding)
        return factory

    return add


def list_runtimes() -> list[RuntimeEntry]:
    """Return all registered runtimes, sorted by name."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"tflite_compress.runtimes.{module.name}")
    return [_ENTRIES[name] for name in sorted(_ENTRIES)]


def find_runtime(name: str, remote: Remote) -> Runtime:
    """Return the runtime of that name.

    Args:
        name: A selector of :func:`list_runtimes`, such as ``litert`` or ``ssh:HOST``.
        remote: Settings for devices.

    Raises:
        UsageError: There is no such runtime, or a setting it needs is missing.
    """
    entries = {entry.name: entry for entry in list_runtimes()}
    kind, _, detail = name.partition(":")
    if kind not in entries or (detail and entries[kind].selector == kind):
        guess = closest(name, list(entries))
        selectors = ", ".join(entry.selector for entry in entries.values())
        raise UsageError(f"no runtime is called '{name}'.{guess}", f"Choose from {selectors}.")
    return entries[kind].factory(detail or None, remote)


def rounding_of(name: str) -> Rounding:
    """Return how a runtime rounds; runtimes that are not registered round as LiteRT does."""
    entries = {entry.name: entry for entry in list_runtimes()}
    kind = name.partition(":")[0]
    return entries[kind].rounding if kind in entries else "same kernels"

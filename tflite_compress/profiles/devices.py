"""Device profiles: facts about a board or phone, with their sources."""

from __future__ import annotations

import functools
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tflite_compress.profiles.citations import Cited, Sources, require_sources
from tflite_compress.profiles.toml_files import Name, bundled_folder, bundled_names, find, read
from tflite_compress.support.errors import ConfigError, closest
from tflite_compress.tflite.kernel_sets import Kernels

Positive = Annotated[int, Meta(gt=0, le=1 << 50)]
Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]


class Core(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The processor that runs the model.

    Attributes:
        name: Type of the core, for example Arm Cortex-M4F.
        count: Number of cores.
        clock_mhz: Maximum rated clock in MHz; none if the manufacturer does not publish it.
        cycles: Table in ``tables/cycles.toml`` that latency is estimated with; none for no estimate.
        features: Instruction sets and units that affect inference.
        qemu: QEMU's name of the core, or of the most similar one it has, to run the aarch64 LiteRT on; none
            if the core is no 64-bit Arm or the runtime is another.
    """

    name: str
    count: Positive
    features: tuple[str, ...]
    clock_mhz: Positive | None = None
    cycles: str | None = None
    qemu: str | None = None


class Npu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Arm Ethos-U NPU that Vela compiles for.

    Attributes:
        accelerator: Vela's name of the NPU, for example ``ethos-u55-256``.
        system_config: Section of Vela's configuration file that states clocks and bandwidths; None for
            Vela's default.
        memory_mode: Section of Vela's configuration file that states where weights and activations are; None
            for Vela's default.
    """

    accelerator: str
    system_config: str | None = None
    memory_mode: str | None = None


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Memory in bytes.

    Attributes:
        flash_bytes: Flash for program and model; none if the storage is a card or disk.
        ram_bytes: RAM.
    """

    ram_bytes: Positive
    flash_bytes: Positive | None = None


class Precisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Precisions the runtime supports on the device.

    Attributes:
        supported: Precisions that run.
        fast: Precisions that the hardware accelerates, fastest first.
        io: Type of inputs and outputs of an integer model.
        channel_multiple: Number of channels that kernels process at a time. Channel pruning keeps a multiple
            of it.
    """

    supported: tuple[Precision, ...]
    fast: tuple[Precision, ...]
    io: Literal["float32", "integer"] = "float32"
    channel_multiple: Positive = 8


class Runtime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The runtime that executes the model.

    Attributes:
        name: ``litert``, ``tflm`` (TFLite Micro) or ``edgetpu``.
        delegate: Delegate or kernels that compute the operators.
        version: Versions of the runtime that the profile describes.
        operators: Table in ``tables/operators.toml`` with the operators of the delegate or accelerator; none
            if the runtime computes all operators on the processor.
        accelerator: ``gpu`` or ``npu`` if the bundle's code asks the runtime for one. For ``gpu``, LiteRT's
            GPU accelerator is asked which operators it takes. None for the CPU.
        decodes_weights: Whether the runtime has the DECODE operator of TFLite Micro.
        four_bit: Operators with kernels for 4-bit weights with per-channel scales.
    """

    name: Literal["litert", "tflm", "edgetpu"]
    delegate: str
    version: str
    operators: str | None = None
    accelerator: Literal["gpu", "npu"] | None = None
    decodes_weights: bool = False
    four_bit: tuple[str, ...] = ()


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One device.

    Attributes:
        name: Name on the command line.
        title: Full name.
        kind: Kind of device.
        default_recipe: Recipe to use if none is named.
        core: The processor that runs the model.
        memory: Memory in bytes.
        precisions: Precisions the runtime supports.
        runtime: The runtime that executes the model.
        limits: Known limits of the device or its runtime.
        sources: Sources of the facts.
        npu: The NPU, if the device has one.
        aliases: Other names on the command line.
    """

    name: Name
    title: str
    kind: Literal["linux-board", "phone", "microcontroller", "accelerator", "browser"]
    default_recipe: str
    core: Core
    memory: Memory
    precisions: Precisions
    runtime: Runtime
    limits: tuple[str, ...]
    sources: Sources
    npu: Npu | None = None
    aliases: tuple[Name, ...] = ()

    @property
    def computes_on_gpu(self) -> bool:
        """True if LiteRT's GPU accelerator computes, in float16."""
        return self.runtime.accelerator == "gpu"

    def source(self, table: str, key: str) -> str | None:
        """Return the source of a fact; None if the profile names none.

        Args:
            table: Name of the table, for example ``core``.
            key: Name of the fact, for example ``clock_mhz``.
        """
        cited: Cited = getattr(self.sources, table)
        return cited if isinstance(cited, str) else cited.get(key)

    @property
    def cited_limits(self) -> tuple[tuple[str, str], ...]:
        """The limits, each with its source."""
        cited = self.sources.limits
        sources = (cited,) * len(self.limits) if isinstance(cited, str) else cited
        return tuple(zip(self.limits, sources, strict=True))


class OperatorSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Operators that a delegate or accelerator supports.

    Attributes:
        title: Name of the delegate or accelerator in messages.
        source: Source of the list.
        operators: Names as in ``schema.fbs``, separated by white space. Others run on the CPU.
        conditions: What the source also asks of an operator, by its name.
    """

    title: str
    source: str
    operators: str
    conditions: dict[str, str] = {}

    @property
    def names(self) -> frozenset[str]:
        """The names as a set."""
        return frozenset(self.operators.split())


class Cycles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Processor cycles per int8 multiply-accumulate (MAC), by kind of operator.

    Attributes:
        title: Name of the core.
        source: Source of the figures.
        conv, depthwise, dense: Cycles per MAC.
        other: Cycles per output element of every other operator.
        low, high: Range of the estimated latency, as factors.
        kernels: CMSIS-NN's kernels that the core runs: ``c``, ``dsp`` or ``mve`` (Helium).
    """

    title: str
    source: str
    conv: float
    depthwise: float
    dense: float
    other: float
    low: float
    high: float
    kernels: Kernels


def operator_sets() -> dict[str, OperatorSet]:
    """Return the bundled lists of operators by name."""
    return read(bundled_folder("devices") / "tables" / "operators.toml", dict[str, OperatorSet])


def cycle_table() -> dict[str, Cycles]:
    """Return the bundled cycles per multiply-accumulate by core."""
    return read(bundled_folder("devices") / "tables" / "cycles.toml", dict[str, Cycles])


def kernels_of(device: Device) -> Kernels | None:
    """Return CMSIS-NN's kernels that a device runs; None if it is not known."""
    return None if device.core.cycles is None else cycle_table()[device.core.cycles].kernels


def load_device(name: str) -> Device:
    """Load a device profile.

    Args:
        name: Name or alias of a bundled profile, or path of a TOML file. Case and hyphens of names do not
            count.

    Raises:
        ConfigError: The profile does not exist, or it has a mistake.
    """
    path = find_device(name)
    device = read(path, Device)
    tables: tuple[tuple[str, str | None, Collection[str]], ...] = (
        ("runtime.operators", device.runtime.operators, operator_sets()),
        ("core.cycles", device.core.cycles, cycle_table()),
    )
    for key, value, known in tables:
        if value is not None and value not in known:
            raise ConfigError(
                f"{path}: {key}: there is no table '{value}'.{closest(value, list(known))}",
                f"Use one of {', '.join(known)}, or leave the key out.",
            )
    require_sources(device, path)
    return device


def find_device(name: str) -> Path:
    """Return the path of a device profile.

    Args:
        name: As for :func:`load_device`.

    Raises:
        ConfigError: There is no such profile.
    """
    return find("devices", name, device_aliases)


@functools.cache
def device_aliases() -> dict[str, str]:
    """Return the names of the bundled profiles by alias."""
    paths = [bundled_folder("devices") / f"{name}.toml" for name in bundled_names("devices")]
    return {alias: path.stem for path in paths for alias in read(path, _Aliases).aliases}


class _Aliases(msgspec.Struct):
    """The one key of a profile that finding a profile needs."""

    aliases: tuple[Name, ...] = ()


def all_devices() -> list[Device]:
    """Return all bundled profiles, sorted by name."""
    return [load_device(name) for name in bundled_names("devices")]

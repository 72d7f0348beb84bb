"""Device profiles: facts about a board or phone, each with its source."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tflite_compress.profiles.toml_files import Name, bundled_folder, bundled_names, find, read
from tflite_compress.support.errors import ConfigError, closest

Positive = Annotated[int, Meta(gt=0, le=1 << 50)]
Precision = Literal["float32", "float16", "dynamic", "int8", "int16x8"]


class Core(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The processor that runs the model.

    Attributes:
        name: Its type.
        count: How many of it.
        clock_mhz: Highest rated clock; None where the maker does not publish it.
        cycles: Row of ``tables/cycles.toml`` to estimate latency with; None where there is none.
        features: Instruction sets and units that matter for inference.
    """

    name: str
    count: Positive
    features: tuple[str, ...]
    clock_mhz: Positive | None = None
    cycles: str | None = None


class Npu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Arm Ethos-U beside the processor, which Vela compiles for.

    Attributes:
        accelerator: Vela's name for it (``ethos-u55-256``).
        system_config: Section of Vela's configuration file with clocks and bandwidths.
        memory_mode: Likewise, where weights and activations lie.
    """

    accelerator: str
    system_config: str = ""
    memory_mode: str = ""


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Memory in bytes.

    Attributes:
        flash_bytes: Non-volatile memory for program and model; None where storage is a card or disk.
        ram_bytes: Random-access memory.
    """

    ram_bytes: Positive
    flash_bytes: Positive | None = None


class Precisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numeric types the runtime can run on the device.

    Attributes:
        supported: Those that run at all.
        fast: Those the hardware is good at, best first.
        io: What inputs and outputs of an integer model should be.
        channel_multiple: Kernels work on this many channels at a time; other counts waste the rest.
    """

    supported: tuple[Precision, ...]
    fast: tuple[Precision, ...]
    io: Literal["float32", "integer"] = "float32"
    channel_multiple: Positive = 8


class Runtime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What executes the model.

    Attributes:
        name: ``litert``, ``tflm`` (TFLite Micro) or ``edgetpu``.
        delegate: The kernels or delegate it hands work to.
        version: The versions these facts hold for.
        operators: Its list in ``tables/operators.toml``; None where it has all builtin operators.
        decodes_weights: The runtime has TFLite Micro's DECODE operator, at least in its recent versions.
        four_bit: Operators with kernels for 4-bit weights, a scale for each channel.
    """

    name: Literal["litert", "tflm", "edgetpu"]
    delegate: str
    version: str
    operators: str | None = None
    decodes_weights: bool = False
    four_bit: tuple[str, ...] = ()


class Sources(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where each group of facts comes from.

    Attributes:
        core: Data sheet of the processor.
        memory: Likewise.
        precisions: Where it says which types run, and which run fast.
        runtime: Where its kernels or delegate are described.
        limits: Where its limits are described.
    """

    core: str
    memory: str
    precisions: str
    runtime: str
    limits: str


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One device.

    Attributes:
        name: How it is called on the command line.
        title: Its full name.
        kind: What sort of thing it is.
        default_recipe: The recipe taken where none is named.
        core: The processor that runs the model.
        memory: What there is of it.
        precisions: Numeric types its runtime can run.
        runtime: What executes the model.
        limits: What to know before relying on it.
        sources: Where each group of facts comes from.
        npu: A neural processor beside the core.
    """

    name: Name
    title: str
    kind: Literal["linux-board", "phone", "microcontroller", "accelerator"]
    default_recipe: str
    core: Core
    memory: Memory
    precisions: Precisions
    runtime: Runtime
    limits: tuple[str, ...]
    sources: Sources
    npu: Npu | None = None


class OperatorSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Operators a runtime or delegate has kernels for.

    Attributes:
        title: What it is called in sentences.
        source: Where the list comes from.
        missing_means: What happens to a model with another operator.
        operators: Their names as in ``schema.fbs``, separated by white space.
    """

    title: str
    source: str
    missing_means: Literal["fails", "falls back to the CPU"]
    operators: str

    @property
    def names(self) -> frozenset[str]:
        """The operators."""
        return frozenset(self.operators.split())


class Cycles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Processor cycles of one int8 multiply-accumulate, by kind of operator.

    Attributes:
        title: The core.
        source: Where the figures come from.
        conv, depthwise, dense: Cycles a MAC.
        other: Cycles an output element of every other operator.
        low, high: Range of the result, as factors.
    """

    title: str
    source: str
    conv: float
    depthwise: float
    dense: float
    other: float
    low: float
    high: float


def operator_sets() -> dict[str, OperatorSet]:
    """The bundled lists of operators."""
    return read(bundled_folder("devices") / "tables" / "operators.toml", dict[str, OperatorSet])


def cycle_table() -> dict[str, Cycles]:
    """The bundled cycles per multiply-accumulate, by core."""
    return read(bundled_folder("devices") / "tables" / "cycles.toml", dict[str, Cycles])


def load_device(name: str) -> Device:
    """Load a bundled profile by name, or a user's by path.

    Raises:
        ConfigError: There is no such profile, or it has a mistake.
    """
    path = find("devices", name)
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
    return device


def all_devices() -> list[Device]:
    """All bundled profiles, by name."""
    return [load_device(name) for name in bundled_names("devices")]

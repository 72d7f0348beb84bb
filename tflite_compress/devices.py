"""Device profiles: facts about a board or phone, each with its source."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tflite_compress.tomlfiles import bundled_names, find, read

Positive = Annotated[int, Meta(gt=0)]
NumericType = Literal["float32", "float16", "dynamic", "int8", "int16x8"]


class Core(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The processor that runs the model.

    Attributes:
        name: Its type.
        count: How many of it.
        clock_mhz: Highest rated clock; None where the maker does not publish it.
        features: Instruction sets and units that matter for inference.
    """

    name: str
    count: Positive
    features: tuple[str, ...]
    clock_mhz: Positive | None = None


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Memory in bytes.

    Attributes:
        flash_bytes: Non-volatile memory for program and model; None where storage is a card or disk.
        ram_bytes: Random-access memory.
    """

    ram_bytes: Positive
    flash_bytes: Positive | None = None


class Numerics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numeric types the runtime can run on the device.

    Attributes:
        supported: Those that run at all.
        fast: Those the hardware is good at, best first.
        io: What inputs and outputs of an integer model should be.
        channel_multiple: Kernels work on this many channels at a time; other counts waste the rest.
    """

    supported: tuple[NumericType, ...]
    fast: tuple[NumericType, ...]
    io: Literal["float32", "integer"] = "float32"
    channel_multiple: Positive = 8


class Runtime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What executes the model.

    Attributes:
        name: ``litert``, ``tflm`` (TFLite Micro) or ``edgetpu``.
        delegate: The kernels or delegate it hands work to.
        version: The versions these facts hold for.
        decodes_weights: The runtime has TFLite Micro's DECODE operator, at least in its recent versions.
    """

    name: Literal["litert", "tflm", "edgetpu"]
    delegate: str
    version: str
    decodes_weights: bool = False


class Sources(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where each group of facts comes from."""

    core: str
    memory: str
    numerics: str
    runtime: str
    limits: str


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One device.

    Attributes:
        name: How it is called on the command line.
        title: Its full name.
        kind: What sort of thing it is.
        default_recipe: The recipe taken where none is named.
        limits: What to know before relying on it.
    """

    name: str
    title: str
    kind: Literal["linux-board", "phone", "microcontroller", "accelerator"]
    default_recipe: str
    core: Core
    memory: Memory
    numerics: Numerics
    runtime: Runtime
    limits: tuple[str, ...]
    sources: Sources


def load_device(name: str) -> Device:
    """Load a bundled profile by name, or a user's by path.

    Raises:
        ConfigError: There is no such profile, or it has a mistake.
    """
    return read(find("devices", name), Device)


def all_devices() -> list[Device]:
    """All bundled profiles, by name."""
    return [load_device(name) for name in bundled_names("devices")]

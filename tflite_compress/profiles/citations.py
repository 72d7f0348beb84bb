"""Where the facts of a device profile come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tflite_compress.support.errors import ConfigError, closest

if TYPE_CHECKING:
    from tflite_compress.profiles.devices import Device

Cited = str | dict[str, str]


class Sources(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sources of the facts in each table: one text for all of them, or a table with one for each.

    Attributes:
        core: Sources of ``core``, for example the data sheet of the processor.
        memory: Sources of ``memory``.
        precisions: Sources of ``precisions``.
        runtime: Sources of ``runtime``.
        limits: Sources of ``limits``: one text for all of them, or a list in the order of the limits.
    """

    core: Cited
    memory: Cited
    precisions: Cited
    runtime: Cited
    limits: str | tuple[str, ...]


def require_sources(device: Device, path: Path) -> None:
    """Refuse sources of facts that do not exist, and lists of sources that do not match the limits.

    Args:
        device: The profile.
        path: Its file, for messages.

    Raises:
        ConfigError: A source has no fact, or a limit no source.
    """
    for table in ("core", "memory", "precisions", "runtime"):
        cited: Cited = getattr(device.sources, table)
        known = [field.name for field in msgspec.structs.fields(getattr(device, table))]
        for key in cited if isinstance(cited, dict) else ():
            if key not in known:
                raise ConfigError(
                    f"{path}: sources.{table}.{key}: there is no such fact.{closest(key, known)}",
                    f"Use one of {', '.join(known)}.",
                )
    limits = device.sources.limits
    if not isinstance(limits, str) and len(limits) != len(device.limits):
        raise ConfigError(
            f"{path}: sources.limits: {len(limits)} sources for {len(device.limits)} limits",
            "Give one source for each limit, in their order.",
        )

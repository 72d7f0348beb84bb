"""Print device profiles on the terminal."""

from __future__ import annotations

from typing import NamedTuple

from tflite_compress.profiles.devices import Device
from tflite_compress.support.quantities import format_bytes
from tflite_compress.support.terminal import console, grid


def print_devices(devices: list[Device]) -> None:
    """Print one profile per line."""
    table = grid("device", "summary", "clock MHz", "flash", "RAM", "runtime", "recipe", right=(2, 3, 4))
    for d in devices:
        flash = "card" if d.memory.flash_bytes is None else format_bytes(d.memory.flash_bytes)
        clock = str(d.core.clock_mhz or "?")
        table.add_row(
            d.name, d.title, clock, flash, format_bytes(d.memory.ram_bytes), d.runtime.name, d.default_recipe
        )
    console().print(table)


class Fact(NamedTuple):
    """A fact of a profile with its source; None if the profile names none."""

    name: str
    value: str
    source: str | None


def facts(d: Device) -> list[Fact]:
    """Return the facts of a profile."""
    core, memory, precisions, runtime = d.core, d.memory, d.precisions, d.runtime
    flash = "on a card or disk" if memory.flash_bytes is None else format_bytes(memory.flash_bytes)
    clock = "not published" if core.clock_mhz is None else f"{core.clock_mhz} MHz"
    shown = (
        ("core", "name", "core", core.name),
        ("core", "count", "cores", str(core.count)),
        ("core", "clock_mhz", "clock", clock),
        ("core", "features", "features", ", ".join(core.features)),
        ("memory", "flash_bytes", "flash", flash),
        ("memory", "ram_bytes", "RAM", format_bytes(memory.ram_bytes)),
        ("precisions", "fast", "fast types", ", ".join(precisions.fast)),
        ("precisions", "supported", "types that run", ", ".join(precisions.supported)),
        ("runtime", "four_bit", "4-bit weights of", ", ".join(runtime.four_bit)),
        ("runtime", "delegate", "computes with", runtime.delegate),
        ("runtime", "version", "runtime", f"{runtime.name}: {runtime.version}"),
        ("runtime", "decodes_weights", "encoded weights", "decoded" if runtime.decodes_weights else ""),
    )
    found = [Fact(name, value, d.source(table, key)) for table, key, name, value in shown if value]
    return [*found, *(Fact("limit", limit, source) for limit, source in d.cited_limits)]


def print_device(d: Device) -> None:
    """Print one profile with the source of each fact."""
    table = grid("fact", "value", "source")
    for fact in facts(d):
        table.add_row(fact.name, fact.value, fact.source or "")
    out = console()
    aliases = f"; also: {', '.join(d.aliases)}" if d.aliases else ""
    out.print(f"[bold]{d.title}[/bold]  ({d.name}; default recipe: {d.default_recipe}{aliases})")
    out.print(table)

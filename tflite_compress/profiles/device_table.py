"""Print device profiles on the terminal."""

from __future__ import annotations

from tflite_compress.profiles.devices import Device
from tflite_compress.support.terminal import console, grid


def print_devices(devices: list[Device]) -> None:
    """Print one profile per line."""
    table = grid("device", "summary", "clock MHz", "flash", "RAM", "runtime", "recipe", right=(2, 3, 4))
    for d in devices:
        flash = "card" if d.memory.flash_bytes is None else format_size(d.memory.flash_bytes)
        clock = str(d.core.clock_mhz or "?")
        table.add_row(
            d.name, d.title, clock, flash, format_size(d.memory.ram_bytes), d.runtime.name, d.default_recipe
        )
    console().print(table)


def print_device(d: Device) -> None:
    """Print one profile with the source of each group of facts."""
    table = grid("fact", "value", "source")
    s = d.sources
    features = f" ({', '.join(d.core.features)})" if d.core.features else ""
    clock = f"{d.core.clock_mhz} MHz" if d.core.clock_mhz else "clock not published"
    table.add_row("core", f"{d.core.count} x {d.core.name}, {clock}{features}", s.core)
    flash = "on a card or disk" if d.memory.flash_bytes is None else format_size(d.memory.flash_bytes)
    table.add_row("flash", flash, s.memory)
    table.add_row("RAM", format_size(d.memory.ram_bytes), s.memory)
    table.add_row("fast types", ", ".join(d.precisions.fast), s.precisions)
    table.add_row("types that run", ", ".join(d.precisions.supported), s.precisions)
    table.add_row("runtime", f"{d.runtime.name}, {d.runtime.version}; {d.runtime.delegate}", s.runtime)
    for limit in d.limits:
        table.add_row("limit", limit, s.limits)
    out = console()
    out.print(f"[bold]{d.title}[/bold]  ({d.name}; default recipe: {d.default_recipe})")
    out.print(table)


def format_size(count: int) -> str:
    """Format bytes in the largest binary unit that leaves at least 1: ``256 KB``, ``1.5 MB``."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= factor:
            return f"{count / factor:g} {unit}"
    return f"{count} bytes"

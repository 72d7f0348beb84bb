"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from tflite_compress.pipeline.recipes import Recipe, describe, settings
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections import all_sections
from tflite_compress.reporting.sections.section_registry import render_sections
from tflite_compress.reporting.wording import size_change, time_change
from tflite_compress.support.terminal import console, grid

if TYPE_CHECKING:
    from rich.console import Console

    from tflite_compress.pipeline.plan import Plan
    from tflite_compress.profiles.devices import Device


WIDE = 130  # columns a table of results needs


def print_devices(devices: list[Device]) -> None:
    """List profiles, one a line."""
    table = grid("device", "is", "clock MHz", "flash", "RAM", "runtime", "recipe", right=(2, 3, 4))
    for d in devices:
        flash = "card" if d.memory.flash_bytes is None else size(d.memory.flash_bytes)
        clock = str(d.core.clock_mhz or "?")
        table.add_row(
            d.name, d.title, clock, flash, size(d.memory.ram_bytes), d.runtime.name, d.default_recipe
        )
    console().print(table)


def print_device(d: Device) -> None:
    """Show one profile with the source of each group of facts."""
    table = grid("fact", "value", "source")
    s = d.sources
    features = f" ({', '.join(d.core.features)})" if d.core.features else ""
    clock = f"{d.core.clock_mhz} MHz" if d.core.clock_mhz else "clock not published"
    table.add_row("core", f"{d.core.count} x {d.core.name}, {clock}{features}", s.core)
    flash = "on a card or disk" if d.memory.flash_bytes is None else size(d.memory.flash_bytes)
    table.add_row("flash", flash, s.memory)
    table.add_row("RAM", size(d.memory.ram_bytes), s.memory)
    table.add_row("fast types", ", ".join(d.precisions.fast), s.precisions)
    table.add_row("types that run", ", ".join(d.precisions.supported), s.precisions)
    table.add_row("runtime", f"{d.runtime.name}, {d.runtime.version}; {d.runtime.delegate}", s.runtime)
    for limit in d.limits:
        table.add_row("limit", limit, s.limits)
    out = console()
    out.print(f"[bold]{d.title}[/bold]  ({d.name}; recipe if none is named: {d.default_recipe})")
    out.print(table)


def print_recipes(recipes: list[Recipe]) -> None:
    """List recipes, one a line."""
    table = grid("recipe", "what it gives", "if that loses too much")
    for r in recipes:
        table.add_row(r.name, r.summary, "; ".join(_in_words(g) for g in r.fallbacks) or "nothing")
    console().print(table)


def print_recipe(recipe: Recipe) -> None:
    """Show one recipe with every setting and what it accepts."""
    table = grid("pass", "setting", "value", "accepts")
    last = ""
    for name, key, value, accepts in settings(recipe):
        table.add_row(name if name != last else "", f"--{key.replace('_', '-')}", _plain(value), accepts)
        last = name
    out = console()
    out.print(f"[bold]{recipe.name}[/bold]: {recipe.summary}")
    out.print(table)
    for fallbacks in recipe.fallbacks:
        out.print(f"if that loses too much: {_in_words(fallbacks)}")


def print_plans(plans: list[Plan]) -> None:
    """Print what would be done."""
    out = console()
    for plan in plans:
        out.print(f"[bold]{plan.device.name}[/bold] ({plan.device.title}), recipe {plan.candidates[0].name}")
        for name, key, value, _ in settings(plan.candidates[0]):
            out.print(f"  {name}.{key} = {_plain(value)}", markup=False)
        for candidate in plan.candidates[1:]:
            out.print(f"  if that loses too much: {describe(candidate)}", markup=False)
        for note in plan.notes:
            out.print(f"  note: {note.text}", markup=False)
    out.print("nothing was run (--dry-run)")


def print_results(results: Sequence[Recorded]) -> None:
    """Print one row per device, then the sections of each result that the terminal shows."""
    out = console()
    columns = ("device", "result", "bytes", "size", "accuracy", "ms here", "speed")
    rows = [_result_row(result) for result in results]
    if out.width < WIDE:
        for row in rows:
            out.print("\n".join(f"{name:>8}  {cell}" for name, cell in zip(columns, row, strict=True)) + "\n")
    else:
        table = grid(*columns, right=(2, 3, 4, 5, 6))
        for row in rows:
            table.add_row(*row)
        out.print(table)
    first = results[0].report
    out.print(
        f"accuracy: {first.accuracy.metric.name} on {first.accuracy.samples:,} samples, LiteRT; size and "
        "latency: compared with the plain float32 .tflite",
        markup=False,
    )
    out.print(f"latency: {first.latency.source}; not the device's", markup=False)
    for result in results:
        _print_sections(out, result)
    peak = results[-1].report.peak_memory_bytes
    if peak is not None:
        out.print(f"peak memory of this run: {peak / 1e9:.1f} GB", markup=False)


def _result_row(result: Recorded) -> tuple[str, ...]:
    """Return device, verdict, bytes, accuracy and latency, each before and after."""
    r = result.report
    before, after = r.size.baseline.bytes, r.size.result.bytes
    times = r.latency.baseline.median_ms, r.latency.result.median_ms
    return (
        r.device.name,
        f"{r.verdict}: {r.recipe.summary}",
        f"{before:,} → {after:,}",
        size_change(before, after),
        f"{r.accuracy.before:.4f} → {r.accuracy.after:.4f}" if r.accuracy.is_verified else "unknown",
        f"{times[0]:.3g} → {times[1]:.3g}",
        time_change(*times),
    )


def print_json(results: Sequence[Recorded]) -> None:
    """Print the reports as one JSON array."""
    reports = msgspec.json.encode([result.report for result in results])
    print(msgspec.json.format(reports, indent=2).decode())


def _print_sections(out: Console, result: Recorded) -> None:
    device = result.report.device.name
    for text in render_sections(all_sections(), "terminal", result):
        for line in text.splitlines():
            out.print(f"{device}: {line}", markup=False)
    bundle = result.folder / "bundle"
    beside = f"; bundle for the device: {bundle}/README.md" if bundle.is_dir() else ""
    out.print(f"{device}: {result.folder / result.report.file}{beside}", markup=False)


def size(count: int) -> str:
    """Bytes in the largest binary unit that leaves at least 1: ``256 KB``, ``1.5 MB``."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= factor:
            return f"{count / factor:g} {unit}"
    return f"{count} bytes"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "(none)"
    return str(value)


def _in_words(overrides: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in overrides.items())

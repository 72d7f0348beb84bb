"""Tables on the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tflite_compress.pipeline.recipes import Recipe, describe, settings
from tflite_compress.reporting.forest_table import forest_lines
from tflite_compress.reporting.terminal import console, grid

if TYPE_CHECKING:
    from tflite_compress.compression.compress import Result
    from tflite_compress.pipeline.plan import Plan
    from tflite_compress.profiles.devices import Device


WIDE = 100  # columns a table of results needs


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


def print_results(results: list[Result]) -> None:
    """Print what came out, one row a device, then what to know about it."""
    out = console()
    columns = ("device", "result", "bytes", "gzip", "accuracy", "ms here")
    rows = [_result_row(result) for result in results]
    if out.width < WIDE:
        for row in rows:
            out.print("\n".join(f"{name:>8}  {cell}" for name, cell in zip(columns, row, strict=True)) + "\n")
    else:
        table = grid(*columns, right=(2, 3, 4, 5))
        for row in rows:
            table.add_row(*row)
        out.print(table)
    first = results[0].report
    out.print(
        f"accuracy: {first['accuracy']['metric']} on {first['accuracy']['samples']} samples, LiteRT; "
        f"before: the original model; sizes and latency against its plain float32 .tflite",
        markup=False,
    )
    out.print(f"latency: {first['latency']['where']}; not the device's", markup=False)
    for result in results:
        _print_notes(out, result)
    peak = results[-1].report["peak_memory_bytes"]
    if peak is not None:
        out.print(f"peak memory of this run: {peak / 1e9:.1f} GB", markup=False)


def _result_row(result: Result) -> tuple[str, ...]:
    """Device, verdict, bytes, gzipped bytes, accuracy and latency, each before and after."""
    r = result.report
    size_, accuracy, latency = r["size"], r["accuracy"], r["latency"]
    return (
        result.device,
        f"{r['verdict']}: {r['recipe']['in_short']}",
        f"{size_['original_float32']['bytes']:,} → {size_['result']['bytes']:,}",
        f"{size_['original_float32']['gzip_bytes']:,} → {size_['result']['gzip_bytes']:,}",
        f"{accuracy['before']:.4f} → {accuracy['after']:.4f}" if accuracy["verified"] else "unknown",
        f"{latency['original_float32']['median_ms']:.3f} → {latency['result']['median_ms']:.3f}",
    )


def print_json(results: list[Result]) -> None:
    """Print the reports as one JSON array."""
    print(json.dumps([result.report for result in results], indent=2))


def _print_notes(out: Any, result: Result) -> None:
    for note in result.report["notes"]:
        out.print(f"{result.device}: {note}", markup=False)
    for line in forest_lines(result.report):
        out.print(f"{result.device}: {line}", markup=False)
    if result.fits:
        out.print(f"{result.device}: fits: {_memory(result.report['fit']['findings'])}", markup=False)
    for finding in result.report["fit"]["findings"]:
        if finding["fits"] is False:
            out.print(f"{result.device}: does NOT fit: {finding['text']}", markup=False)
            out.print(f"  {finding.get('do', '')}", markup=False)
    device_latency = result.report["device_latency"]
    if device_latency["kind"] != "unknown":
        out.print(f"{result.device}: {_on_device(device_latency)}", markup=False)
    if not result.passed:
        out.print(f"{result.device}: accuracy lost where:", markup=False)
        for attempt in result.report["attempts"]:
            steps = ", ".join(f"{p['pass']} {p['accuracy_after']:.4f}" for p in attempt["passes"])
            problem = f" ({attempt['error']})" if attempt["error"] else ""
            out.print(f"  {attempt['in_short']}: after {steps or 'nothing'}{problem}", markup=False)
    bundle = result.tflite.parent / "bundle"
    beside = f", and for the developer {bundle}/README.md" if bundle.is_dir() else ""
    out.print(f"{result.device}: {result.tflite}{beside}", markup=False)


def _memory(findings: list[dict[str, Any]]) -> str:
    """Flash and RAM in a few words, each with how it is known."""
    costs = {f["subject"]: f["cost"] for f in findings if f["subject"] in ("flash", "RAM") and "cost" in f}
    return ", ".join(f"{name} {c['value'] / 1024:,.0f} KB ({c['kind']})" for name, c in costs.items())


def _on_device(latency: dict[str, Any]) -> str:
    spread = f" ({latency['low']:.3g} to {latency['high']:.3g})" if "low" in latency else ""
    return f"about {latency['value']:.3g} ms{spread} on the device, {latency['kind']}: {latency['source']}"


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

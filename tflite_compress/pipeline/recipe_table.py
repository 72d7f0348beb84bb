"""Print recipes and plans on the terminal."""

from __future__ import annotations

import msgspec

from tflite_compress.pipeline.overrides import Overrides
from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import Recipe, describe, settings
from tflite_compress.support.notes import note_record
from tflite_compress.support.terminal import console, grid


def print_recipes(recipes: list[Recipe]) -> None:
    """Print one recipe per line."""
    table = grid("recipe", "summary", "fallbacks")
    for r in recipes:
        table.add_row(r.name, r.summary, "; ".join(_in_words(g) for g in r.fallbacks) or "none")
    console().print(table)


def print_recipe(recipe: Recipe) -> None:
    """Print one recipe with every setting and what it accepts."""
    table = grid("pass", "setting", "value", "accepts")
    last = ""
    for name, key, value, accepts in settings(recipe):
        table.add_row(name if name != last else "", f"--{key.replace('_', '-')}", _plain(value), accepts)
        last = name
    out = console()
    out.print(f"[bold]{recipe.name}[/bold]: {recipe.summary}")
    out.print(table)
    for fallback in recipe.fallbacks:
        out.print(f"fallback: {_in_words(fallback)}", markup=False)


def print_plans(plans: list[Plan]) -> None:
    """Print the candidates of each device."""
    out = console()
    for plan in plans:
        out.print(f"[bold]{plan.device.name}[/bold] ({plan.device.title}), recipe {plan.candidates[0].name}")
        for name, key, value, _ in settings(plan.candidates[0]):
            out.print(f"  {name}.{key} = {_plain(value)}", markup=False)
        for candidate in plan.candidates[1:]:
            out.print(f"  fallback: {describe(candidate)}", markup=False)
        for note in plan.notes:
            out.print(f"  note: {note.text}", markup=False)
    out.print("nothing was run (--dry-run)")


def plans_record(plans: list[Plan]) -> list[dict[str, object]]:
    """Return the plan of each device as plain data."""
    return [
        {
            "device": plan.device.name,
            "candidates": msgspec.to_builtins(plan.candidates),
            "notes": [note_record(note) for note in plan.notes],
        }
        for plan in plans
    ]


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "(none)"
    return str(value)


def _in_words(overrides: Overrides) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in overrides.items())

"""Print recipes and plans on the terminal."""

from __future__ import annotations

import msgspec

from tflite_compress.pipeline.overrides import Overrides
from tflite_compress.pipeline.plan import Plan
from tflite_compress.pipeline.recipes import Recipe, describe, settings
from tflite_compress.support.docstrings import attribute_summary
from tflite_compress.support.notes import note_record
from tflite_compress.support.terminal import console, grid


def print_recipes(recipes: list[Recipe]) -> None:
    """Print one recipe per line."""
    table = grid("recipe", "summary", "fallbacks")
    for r in recipes:
        table.add_row(r.name, r.summary, "; ".join(_in_words(g) for g in r.fallbacks) or "none")
    console().print(table)


def print_recipe(recipe: Recipe) -> None:
    """Print one recipe: each pass with its settings, and what each setting does and accepts."""
    out = console()
    out.print(f"[bold]{recipe.name}[/bold]: {recipe.summary}")
    rows = settings(recipe)
    for step in recipe.passes:
        summary = attribute_summary(type(step)).replace("``", "")
        out.print(f"\n[bold]{step.tag()}[/bold]: {summary}", highlight=False)
        table = grid("setting", "value", "meaning")
        for row in rows:
            if row.step == step.tag():
                meaning = f"{row.meaning.replace('``', '')} Accepts: {row.accepts}.".lstrip()
                table.add_row(f"--{row.key.replace('_', '-')}", _plain(row.value), meaning)
        out.print(table)
    for fallback in recipe.fallbacks:
        out.print(f"fallback: {_in_words(fallback)}", markup=False)


def print_plans(plans: list[Plan]) -> None:
    """Print the candidates of each device."""
    out = console()
    for plan in plans:
        out.print(f"[bold]{plan.device.name}[/bold] ({plan.device.title}), recipe {plan.candidates[0].name}")
        for row in settings(plan.candidates[0]):
            out.print(f"  {row.step}.{row.key} = {_plain(row.value)}", markup=False)
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

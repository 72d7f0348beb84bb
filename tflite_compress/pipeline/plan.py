"""Make the plan for a device: its candidates, with the settings that depend on the device."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tflite_compress.pipeline.overrides import Overrides, has_setting, override
from tflite_compress.pipeline.recipes import (
    FOREST_RECIPE,
    PRECISION_WIDTH,
    Recipe,
    adapted,
    all_recipes,
    load_recipe,
    recipe_candidates,
    repaired,
)
from tflite_compress.profiles.devices import Device, load_device
from tflite_compress.support.errors import UsageError
from tflite_compress.support.notes import Note


@dataclass(frozen=True)
class Plan:
    """The candidates for one device.

    Attributes:
        device: The device.
        candidates: Recipes to try, in order.
        notes: Notes on how the candidates were chosen.
        is_recipe_named: True if the user named the recipe.
    """

    device: Device
    candidates: tuple[Recipe, ...]
    notes: tuple[Note, ...] = ()
    is_recipe_named: bool = True

    @property
    def trains(self) -> bool:
        """True if some pass needs training data."""
        return any(p.needs_training for recipe in self.candidates for p in recipe.passes)

    @property
    def calibrates(self) -> bool:
        """True if the first candidate needs calibration samples."""
        return any(p.needs_calibration for p in self.candidates[0].passes)


# Recipes with smaller files than int8, fastest first: without training, for runtimes with 4-bit kernels; with
# training; with encoded weights, for runtimes that decode them.
FURTHER = ("int4", "channel-prune-int8", "tiny-mcu")


def make_plan(
    device_name: str,
    recipe_name: str | Recipe | None,
    overrides: Overrides,
    limited: bool = False,
    forest: bool = False,
    with_data: bool = True,
) -> Plan:
    """Return the plan for a device.

    Args:
        device_name: Name of a bundled profile, or a path.
        recipe_name: A bundled recipe, a path, or a recipe; None takes the profile's.
        overrides: Settings of the recipe changed by the user.
        limited: True if the user set limits on memory. If no recipe is named, the plan then has further
            candidates with smaller files; those without training come first.
        forest: True for a model of decision trees.
        with_data: False if no data is given; hints then name a recipe that needs none.

    Raises:
        ConfigError: The device or the recipe is invalid.
        UsageError: The device cannot run the precision of the recipe, or the recipe is for another kind of
            model.
    """
    device = load_device(device_name)
    further = _further(device) if limited and recipe_name is None and not forest else []
    default = FOREST_RECIPE if forest else device.default_recipe
    chosen = _recipe(recipe_name or default)
    _require_kind(chosen, forest, default)
    fitting = [adapted(r, device) for r in (chosen, *further)]
    recipe, *further = _overridden(fitting, overrides, device, with_data)
    if not _runs(recipe, device):
        precision = recipe.conversion.precision
        raise UsageError(
            f"{device.name} does not run {precision} models ({device.runtime.name}: "
            f"{', '.join(device.precisions.supported)})",
            _instead(device, default, with_data)
            if not forest
            else "Choose another device; forests compute in float32, with tables of int8.",
        )
    first, *fallbacks = recipe_candidates(recipe)
    candidates = [
        first,
        *repaired(first, device),
        *further,
        *fallbacks,
    ]  # repairs do not train: cheaper than the rest
    kept = tuple(settled(r, device) for r in candidates if _runs(r, device))
    notes: list[Note] = []
    if len(kept) < len(candidates):
        left_out = sorted({r.conversion.precision for r in candidates if not _runs(r, device)})
        notes.append(
            Note("precision-not-tried", f"not tried: {', '.join(left_out)}, which {device.name} does not run")
        )
    notes += [note for p in recipe.passes if (note := p.unsupported(device))]
    if recipe_name is None and not forest:
        notes.append(
            Note("recipe-by-profile", f"recipe '{recipe.name}' chosen by the profile of {device.name}")
        )
    return Plan(device, kept, tuple(notes), recipe_name is not None)


def _recipe(named: str | Recipe) -> Recipe:
    return load_recipe(named) if isinstance(named, str) else named


def _require_kind(recipe: Recipe, forest: bool, default: str) -> None:
    """Raise UsageError for a recipe that is for another kind of model."""
    if recipe.for_forests != forest:
        made_for, given = ("neural networks", "decision trees")[:: 1 if forest else -1]
        raise UsageError(
            f"recipe '{recipe.name}' is for {made_for}, and the model is one of {given}"
            if forest
            else f"recipe '{recipe.name}' is for {made_for}, and the model is a neural network",
            f"Leave --recipe out, or take --recipe={default}.",
        )


def _further(device: Device) -> list[Recipe]:
    """Return the recipes with smaller files than int8 that the device can run."""
    found = [load_recipe(name) for name in FURTHER if name != "int4" or device.runtime.four_bit]
    return [r for r in found if all(p.unsupported(device) is None for p in r.passes)]


def _overridden(recipes: list[Recipe], overrides: Overrides, device: Device, with_data: bool) -> list[Recipe]:
    """Return the recipes with each setting changed where it exists. At least one recipe must have it."""
    for key, value in overrides.items():
        if not any(has_setting(recipe, key) for recipe in recipes):
            raise _nowhere(recipes[0], key, value, device, with_data)
        recipes = [override(r, {key: value}) if has_setting(r, key) else r for r in recipes]
    return recipes


def _nowhere(recipe: Recipe, key: str, value: object, device: Device, with_data: bool) -> UsageError:
    """The error for a setting that a recipe lacks; it names the recipes for the device that have it."""
    others = [
        r
        for r in all_recipes()
        if has_setting(r, key) and r.for_forests == recipe.for_forests and _runs(r, device)
    ]
    if not others:
        try:
            override(recipe, {key: value})
        except UsageError as error:
            return error
    precision = recipe.conversion.precision
    others.sort(key=lambda r: (r.conversion.precision != precision, len(r.passes), len(r.name)))
    data = "" if with_data else " --data=FILE.npz"
    return UsageError(
        f"--{key.replace('_', '-')}: recipe '{recipe.name}' has no such setting. Recipes for {device.name} "
        f"that have it: {', '.join(r.name for r in others)}",
        f"Choose one of them, for example --recipe={others[0].name}{data}.",
    )


def _instead(device: Device, default: str, with_data: bool) -> str:
    """The hint for a recipe that the device does not run: one that it runs, with the data there are."""
    if with_data:
        return f"Choose another recipe, for example --recipe={default}."
    name = recipe_without_data(device)
    if name is None:
        return f"Choose another recipe and give data, for example --recipe={default} --data=FILE.npz."
    return f"Choose another recipe, for example --recipe={name}, which needs no data."


def recipe_without_data(device: Device) -> str | None:
    """Return the bundled recipe with the smallest files that runs on a device and needs no data."""
    found = [
        r
        for r in all_recipes()
        if not r.for_forests
        and _runs(r, device)
        and not any(step.needs_training or step.needs_calibration for step in r.passes)
    ]
    found.sort(key=lambda r: (PRECISION_WIDTH[r.conversion.precision], len(r.passes)))
    return found[0].name if found else None


def _runs(recipe: Recipe, device: Device) -> bool:
    return recipe.conversion.precision in device.precisions.supported


def settled(recipe: Recipe, device: Device) -> Recipe:
    """Return the recipe with every setting filled in that the device or the conversion decides."""
    resolved = (step.resolve(recipe.conversion, device) for step in recipe.passes)
    return msgspec.structs.replace(recipe, passes=tuple(step for step in resolved if step is not None))

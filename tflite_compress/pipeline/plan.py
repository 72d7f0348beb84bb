"""The plan: which recipe runs for which device, with everything the device settles filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tflite_compress.passes import (
    Convert,
    Encode,
    ExportTrees,
    Int4,
    Mixed,
    PruneChannels,
    Qat,
    QuantizeTrees,
    Repair,
    needs_training,
)
from tflite_compress.pipeline.recipes import (
    FOREST_RECIPE,
    Overrides,
    Recipe,
    load_recipe,
    override,
    recipe_candidates,
    repaired,
)
from tflite_compress.profiles.devices import Device, load_device
from tflite_compress.support.errors import UsageError


@dataclass(frozen=True)
class Plan:
    """What will be tried for one device.

    Attributes:
        device: The device.
        rungs: Recipes to try in order, each gentler than the one before.
        notes: What was settled on the way.
    """

    device: Device
    candidates: tuple[Recipe, ...]
    notes: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """True where some pass needs training data."""
        return any(needs_training(p) for recipe in self.candidates for p in recipe.passes)

    @property
    def calibrates(self) -> bool:
        """True where the first choice needs representative data."""
        first = self.candidates[0]
        ranges = any(isinstance(p, QuantizeTrees) and p.precision != "float32" for p in first.passes)
        return first.conversion.needs_calibration or ranges


# What goes further than int8, cheapest first: without training where the runtime has 4-bit kernels, then with
# training, last what only runtimes that decode weights can run.
FURTHER = ("int4", "channel-prune-int8", "tiny-mcu")


def make_plan(
    device_name: str,
    recipe_name: str | None,
    overrides: Overrides,
    limited: bool = False,
    forest: bool = False,
) -> Plan:
    """Settle what to do for a device.

    Args:
        device_name: A bundled profile or a path.
        recipe_name: A bundled recipe or a path; None takes the profile's.
        overrides: Settings of the recipe changed by the user.
        limited: The user set limits on memory. Where no recipe is named, recipes that train follow those
            that do not: the first result within the limits counts.
        forest: The model is one of decision trees.

    Raises:
        ConfigError: Device or recipe have a mistake.
        UsageError: The device cannot run what the recipe makes, or the recipe is for another kind of model.
    """
    device = load_device(device_name)
    further = _further(device) if limited and recipe_name is None and not forest else []
    default = FOREST_RECIPE if forest else device.default_recipe
    recipe, *further = _overridden([load_recipe(recipe_name or default), *further], overrides)
    _require_kind(recipe, forest, default)
    if not _runs(recipe, device):
        precision = recipe.conversion.precision
        raise UsageError(
            f"{device.name} does not run {precision} models ({device.runtime.name}: "
            f"{', '.join(device.precisions.supported)})",
            f"Choose another recipe, for example --recipe={default}."
            if not forest
            else "Choose another device; forests compute in float32, with tables of int8.",
        )
    first, *fallbacks = recipe_candidates(recipe)
    candidates = [
        first,
        *repaired(first),
        *further,
        *fallbacks,
    ]  # repairs do not train: cheaper than the rest
    kept = tuple(settled(r, device) for r in candidates if _runs(r, device))
    notes = []
    if len(kept) < len(candidates):
        left_out = sorted({r.conversion.precision for r in candidates if not _runs(r, device)})
        notes.append(f"not tried: {', '.join(left_out)}, which {device.name} does not run")
    asked = [p.encode for p in recipe.passes if isinstance(p, Encode) and p.encode != "none"]
    if asked and not device.runtime.decodes_weights:
        notes.append(f"weights are not encoded: {device.runtime.name} has no operator that decodes them")
    if recipe_name is None and not forest:
        notes.append(f"recipe '{recipe.name}' chosen by the profile of {device.name}")
    return Plan(device, kept, tuple(notes))


def _require_kind(recipe: Recipe, forest: bool, default: str) -> None:
    """Refuse a recipe for networks with a forest, and the other way round."""
    if recipe.for_forests != forest:
        made_for, given = ("neural networks", "decision trees")[:: 1 if forest else -1]
        raise UsageError(
            f"recipe '{recipe.name}' is for {made_for}, and the model is one of {given}"
            if forest
            else f"recipe '{recipe.name}' is for {made_for}, and the model is a neural network",
            f"Leave --recipe out, or take --recipe={default}.",
        )


def _further(device: Device) -> list[Recipe]:
    """Recipes for a device too small for what int8 alone gives."""
    found = [load_recipe(name) for name in FURTHER if name != "int4" or device.runtime.four_bit]
    if device.runtime.decodes_weights:
        return found
    return [r for r in found if all(not isinstance(p, Encode) or p.encode == "none" for p in r.passes)]


def _overridden(recipes: list[Recipe], overrides: Overrides) -> list[Recipe]:
    """Each setting changed in the recipes that have it; one that none has is a mistake."""
    for key, value in overrides.items():
        changed, problem = [], None
        for recipe in recipes:
            try:
                changed.append(override(recipe, {key: value}))
            except UsageError as error:
                changed.append(recipe)
                problem = problem or error
        if problem is not None and changed == recipes:
            raise problem
        recipes = changed
    return recipes


def _runs(recipe: Recipe, device: Device) -> bool:
    return recipe.conversion.precision in device.precisions.supported


def _fitted_repair(step: Any, recipe: Recipe, device: Device) -> Any:
    """Fill in how it will be converted, and what the device runs besides that."""
    conversion = recipe.conversion
    assert isinstance(conversion, Convert)  # repairs are for networks; recipes are checked for that
    precision = conversion.precision if step.precision == "auto" else step.precision
    step = msgspec.structs.replace(step, precision=precision, per_channel=conversion.per_channel)
    if isinstance(step, Mixed):
        wider = tuple(t for t in step.types if t in device.precisions.supported)
        step = msgspec.structs.replace(step, types=wider)
    if isinstance(step, Int4):
        able = tuple(op for op in step.operators if op in device.runtime.four_bit)
        step = msgspec.structs.replace(step, operators=able)
    return step


def settled(recipe: Recipe, device: Device) -> Recipe:
    """Fill in what the device settles: type of inputs and outputs, and whether float may remain."""
    passes = []
    for step in recipe.passes:
        if isinstance(step, Encode):
            if step.encode == "none" or not device.runtime.decodes_weights:
                continue
            limit = step.arena_limit_bytes or device.memory.ram_bytes // 2
            step = msgspec.structs.replace(step, arena_limit_bytes=limit)
        if isinstance(step, PruneChannels):
            multiple = step.multiple or device.precisions.channel_multiple
            precision = recipe.conversion.precision if step.precision == "auto" else step.precision
            step = msgspec.structs.replace(step, multiple=multiple, precision=precision)
        if isinstance(step, Qat) and step.precision == "auto":
            step = msgspec.structs.replace(step, precision=recipe.conversion.precision)
        if isinstance(step, Repair):
            step = _fitted_repair(step, recipe, device)
        if isinstance(step, ExportTrees) and step.tables == "auto":
            step = msgspec.structs.replace(step, tables="tflm" if device.runtime.name == "tflm" else "litert")
        if isinstance(step, Convert):
            io = step.io
            if io == "auto":
                io = device.precisions.io if step.needs_calibration else "float32"
            fallback = step.float_fallback and "float32" in device.precisions.supported
            step = msgspec.structs.replace(step, io=io, float_fallback=fallback)
        passes.append(step)
    return msgspec.structs.replace(recipe, passes=tuple(passes))

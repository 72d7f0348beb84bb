"""Recipes: lists of passes with their settings, and fallbacks if the accuracy drop is too large."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from tflite_compress.passes import ConversionPass, Domain, PassConfig, Stage, all_passes, pass_type
from tflite_compress.passes.repair import automatic_file_repairs, automatic_repairs
from tflite_compress.pipeline.overrides import Overrides, override
from tflite_compress.pipeline.setting_types import type_name
from tflite_compress.profiles.devices import Device
from tflite_compress.profiles.toml_files import Name, bundled_names, find, read_toml, typed
from tflite_compress.support.docstrings import attribute_meanings
from tflite_compress.support.errors import ConfigError, UsageError

FOREST_RECIPE = "forest"
PRECISION_WIDTH = {"int8": 0, "int16x8": 1, "dynamic": 1, "float16": 2, "float32": 3}


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain of passes.

    Attributes:
        name: Name on the command line.
        summary: Description in one line.
        passes: The passes in order. Exactly one converts: ``convert``, or ``export_trees`` in recipes for
            forests.
        fallbacks: Overrides of the recipe to try, in order, if the accuracy drop is too large.
    """

    name: Name
    summary: str
    passes: tuple[PassConfig, ...]
    fallbacks: tuple[Overrides, ...] = ()

    @property
    def conversion(self) -> ConversionPass:
        """The pass that writes the flatbuffer."""
        return cast("ConversionPass", next(p for p in self.passes if p.stage is Stage.CONVERT))

    @property
    def for_forests(self) -> bool:
        """True for a recipe for decision trees, False for neural networks."""
        return self.conversion.domain is Domain.FOREST


def load_recipe(name: str) -> Recipe:
    """Load a bundled recipe by name, or a user's by path, and check that all of it can run.

    Raises:
        ConfigError: There is no such recipe, or it has a mistake.
    """
    path = find("recipes", name)
    return check_recipe(recipe_from(read_toml(path), str(path)), str(path))


def recipe_from(values: Mapping[str, object], where: str) -> Recipe:
    """Check plain values, as a TOML or JSON file has them, against the settings of the passes they name.

    Args:
        values: The recipe's keys.
        where: Where they come from, for messages.

    Raises:
        ConfigError: A key is unknown or missing, a value is of the wrong type or out of range, or there is no
            such pass.
    """
    header = typed({key: value for key, value in values.items() if key != "passes"}, _Header, where)
    passes = typed({"passes": values.get("passes")}, _Tables, where).passes
    types = []
    for index, table in enumerate(passes):
        try:
            types.append(pass_type(str(table.get("pass", ""))))
        except ConfigError as error:
            raise ConfigError(f"{where}: passes[{index}].pass: {error.message}", error.hint) from error
    kinds: Any = tuple[tuple(types)]  # type: ignore[misc]
    checked = typed({"passes": passes}, msgspec.defstruct("Passes", [("passes", kinds)]), where)
    return Recipe(header.name, header.summary, tuple(checked.passes), header.fallbacks)  # type: ignore[attr-defined]


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recipe without its passes."""

    name: Name
    summary: str
    fallbacks: tuple[Overrides, ...] = ()


class _Tables(msgspec.Struct, frozen=True):
    """The passes of a recipe, unchecked."""

    passes: tuple[Overrides, ...]


def all_recipes() -> list[Recipe]:
    """Return all bundled recipes, sorted by name."""
    return [load_recipe(name) for name in bundled_names("recipes")]


def recipe_candidates(recipe: Recipe) -> tuple[Recipe, ...]:
    """Return the recipe and its fallbacks. No fallback removes more than the recipe itself."""
    found = [recipe]
    for changes in recipe.fallbacks:
        softened = dict(changes)
        for key, safer in {k: f for p in recipe.passes for k, f in p.safer_values.items()}.items():
            if type(softened.get(key)) in (int, float):
                given = [getattr(p, key) for p in recipe.passes if key in p.safer_values]
                softened[key] = safer([softened[key], *(value for value in given if value is not None)])
        candidate = override(recipe, softened, f"recipe {recipe.name}")
        if PRECISION_WIDTH[candidate.conversion.precision] < PRECISION_WIDTH[recipe.conversion.precision]:
            continue  # the recipe already has a wider precision than this fallback
        if all(candidate.passes != earlier.passes for earlier in found):
            found.append(candidate)
    return tuple(found)


def repaired(recipe: Recipe, device: Device) -> tuple[Recipe, ...]:
    """Return the recipe with repairs: quick ones of int8, then all; or of float16 on a GPU; () if none fits.

    Only recipes whose passes allow repairs get some.
    """
    allowed = all(step.allows_repairs for step in recipe.passes) and not recipe.for_forests
    if not allowed:
        return ()
    if recipe.conversion.precision == "int8":
        place = sum(step.stage < Stage.ADAPT for step in recipe.passes)
        return tuple(
            msgspec.structs.replace(recipe, passes=(*recipe.passes[:place], *repairs, *recipe.passes[place:]))
            for repairs in automatic_repairs()
        )
    repairs = automatic_file_repairs(recipe.conversion, device)
    if not repairs:
        return ()
    return (_with_passes(recipe, repairs),)


def adapted(recipe: Recipe, device: Device) -> Recipe:
    """Return the recipe with the passes that every recipe for the device gets by itself."""
    present = {step.tag() for step in recipe.passes}
    kinds = [kind for tag, kind in all_passes().items() if tag not in present and kind.adapts(device)]
    return recipe if recipe.for_forests else _with_passes(recipe, [kind() for kind in kinds])


def keeps_graph(recipe: Recipe, device: Device) -> bool:
    """Return True if a recipe was left without the passes that recipes for the device get by themselves."""
    return not any(step.adapts(device) for step in recipe.passes)


def _with_passes(recipe: Recipe, further: Iterable[PassConfig]) -> Recipe:
    """Return the recipe with further passes, each behind the others of its stage."""
    passes = sorted([*recipe.passes, *further], key=lambda step: step.stage)
    return msgspec.structs.replace(recipe, passes=tuple(passes))


def describe(recipe: Recipe) -> str:
    """Return a recipe in a few words: what its passes do, joined by plus signs."""
    return in_words([step.summary() for step in recipe.passes])


def in_words(parts: Sequence[str | None]) -> str:
    """Return what passes do, joined by plus signs; None stands for nothing worth a word."""
    return " + ".join(part for part in parts if part) or "trees as they are"


class Setting(NamedTuple):
    """A setting of a recipe.

    Attributes:
        step: Name of the pass.
        key: Name of the setting.
        value: Its value in the recipe.
        accepts: The accepted values in words.
        meaning: What it does.
    """

    step: str
    key: str
    value: object
    accepts: str
    meaning: str


def settings(recipe: Recipe) -> list[Setting]:
    """Return every setting of a recipe.

    Settings in a table of a pass, such as ``training``, are listed by their own key.
    """
    rows: list[Setting] = []
    for step in recipe.passes:
        tables = [
            value for value in msgspec.structs.asdict(step).values() if isinstance(value, msgspec.Struct)
        ]
        for table in (step, *tables):
            meanings = attribute_meanings(type(table))
            for field in msgspec.structs.fields(table):
                value = getattr(table, field.name)
                if value not in tables:
                    accepts = type_name(field.type)
                    rows.append(Setting(step.tag(), field.name, value, accepts, meanings.get(field.name, "")))
    return rows


def as_toml(recipe: Recipe) -> str:
    """Return a recipe as TOML text without settings that have their default."""
    import tomli_w

    passes = []
    for step in recipe.passes:
        changed = _difference(msgspec.to_builtins(step), msgspec.to_builtins(type(step)()))
        passes.append({"pass": step.tag(), **changed})
    return tomli_w.dumps({"name": recipe.name, "summary": recipe.summary, "passes": passes})


def _difference(values: Overrides, usual: Overrides) -> Overrides:
    """Return what differs from the defaults. Tables are whole, since their settings depend on each other."""
    return {key: value for key, value in values.items() if value != usual[key]}


def check_recipe(recipe: Recipe, where: str) -> Recipe:
    """Check what types cannot: one domain, one conversion, the order of stages, fallbacks that exist.

    Args:
        recipe: The recipe.
        where: Where it comes from, for messages.

    Returns:
        The recipe.

    Raises:
        ConfigError: Something of that is wrong.
    """
    names = [step.tag() for step in recipe.passes]
    _require_conversion(recipe, where, names)
    for before, after in itertools.pairwise(recipe.passes):
        if before.stage > after.stage:
            raise ConfigError(
                f"{where}: passes: '{after.tag()}' must come before '{before.tag()}', got {names}",
                "Reorder the passes.",
            )
    for step in recipe.passes:
        if step.stage >= Stage.QAT and names.count(step.tag()) > 1:
            raise ConfigError(f"{where}: passes: '{step.tag()}' stands there twice", "Remove one.")
        beside = [name for name in names if name in step.excludes]
        if beside:
            raise ConfigError(
                f"{where}: passes: '{beside[0]}' has no place beside '{step.tag()}'", "Remove one of them."
            )
    try:
        recipe_candidates(recipe)
    except (UsageError, ConfigError) as error:
        raise ConfigError(f"{where}: fallbacks: {error.message}", error.hint) from error
    return recipe


def _require_conversion(recipe: Recipe, where: str, names: list[str]) -> None:
    """Refuse passes of two domains, and anything but one conversion."""
    first, *others = recipe.passes or (None,)
    other = next((p for p in others if first is not None and p.domain is not first.domain), None)
    if first is not None and other is not None:
        raise ConfigError(
            f"{where}: passes: '{first.tag()}' is for {first.domain.value}, '{other.tag()}' for "
            f"{other.domain.value}",
            "Make two recipes.",
        )
    if sum(p.stage is Stage.CONVERT for p in recipe.passes) != 1:
        domain = Domain.NETWORK if first is None else first.domain
        kinds = [kind for kind in all_passes().values() if kind.stage is Stage.CONVERT]
        wanted = " or ".join(f"'{kind.tag()}'" for kind in kinds if kind.domain is domain)
        raise ConfigError(
            f"{where}: passes: expected exactly one {wanted}, got {names}",
            "Add or remove one.",
        )

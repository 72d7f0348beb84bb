"""Recipes: what to do to a model, as a list of passes, and what to try if that loses too much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import msgspec.inspect

from tflite_compress.passes import (
    AdaRound,
    AnyPass,
    BiasCorrect,
    Cluster,
    Convert,
    DistillTrees,
    DropTrees,
    Encode,
    Equalize,
    ExportTrees,
    ForestPass,
    Int4,
    Mixed,
    Prune,
    PruneChannels,
    PruneTrees,
    Qat,
    QuantizeTrees,
    Ranges,
    Repair,
    pass_name,
)
from tflite_compress.profiles.toml_files import Name, bundled_names, find, read, typed
from tflite_compress.support.errors import UsageError, closest

Overrides = dict[str, Any]

# Of two values of a setting, which loses less.
_GENTLER_OF: dict[str, Callable[[list[Any]], Any]] = {
    "sparsity": min,
    "target_macs": max,
    "target_size": max,
    "target_latency_ratio": max,
    "clusters": max,
    "max_loss": min,
    "share": min,
}
_WORDS: dict[type, str] = {
    Equalize: "repaired",
    AdaRound: "learned rounding",
    Mixed: "mixed precision",
    Int4: "4-bit weights",
    Qat: "QAT",
    DistillTrees: "distilled trees",
    PruneTrees: "pruned trees",
    DropTrees: "fewer trees",
}
FOREST_RECIPE = "forest"
_GENTLENESS = {"int8": 0, "int16x8": 1, "dynamic": 1, "float16": 2, "float32": 3}


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain of passes.

    Attributes:
        name: How it is called on the command line.
        summary: One line on what it gives.
        passes: The passes, in order; exactly one is ``convert``, or ``export-trees`` in recipes for forests.
        fallbacks: Settings to try next, in order, while the accuracy drop is too large; each is a set
            of overrides of the recipe itself.
    """

    name: Name
    summary: str
    passes: tuple[AnyPass, ...]
    fallbacks: tuple[Overrides, ...] = ()

    @property
    def conversion(self) -> Convert | ExportTrees:
        """The pass that makes the flatbuffer."""
        return next(p for p in self.passes if isinstance(p, Convert | ExportTrees))

    @property
    def for_forests(self) -> bool:
        """True for a recipe that decision trees go through, and neural networks do not."""
        return isinstance(self.conversion, ExportTrees)


def load_recipe(name: str) -> Recipe:
    """Load a bundled recipe by name, or a user's by path, and check that all of it can run.

    Raises:
        ConfigError: There is no such recipe, or it has a mistake.
    """
    path = find("recipes", name)
    recipe = read(path, Recipe)
    return _checked(recipe, str(path))


def all_recipes() -> list[Recipe]:
    """All bundled recipes, by name."""
    return [load_recipe(name) for name in bundled_names("recipes")]


def override(recipe: Recipe, overrides: Overrides, where: str = "command line") -> Recipe:
    """Change settings of a recipe's passes.

    Args:
        recipe: The recipe.
        overrides: Values by key; ``key`` changes it in every pass that has it, ``pass.key`` in one.
        where: Where the overrides come from, for messages.

    Raises:
        UsageError: No pass has such a key.
        ConfigError: A value is of the wrong type or out of range.
    """
    values: list[dict[str, Any]] = [msgspec.to_builtins(p) for p in recipe.passes]
    for key, value in overrides.items():
        pass_part, _, name = key.rpartition(".")
        chosen = [v for v in values if name in v and name != "pass" and pass_part in ("", v["pass"])]
        if not chosen:
            known = sorted({k for v in values for k in v} - {"pass"})
            raise UsageError(
                f"--{key.replace('_', '-')}: recipe '{recipe.name}' has no such setting."
                f"{closest(name, known)}",
                f"Its settings are: {', '.join(known)}.",
            )
        for v in chosen:
            v[name] = _as_wanted(value, v[name])
    union: Any = AnyPass
    passes = tuple(typed(v, union, f"{where}: {v['pass']}") for v in values)
    return msgspec.structs.replace(recipe, passes=passes)


def recipe_candidates(recipe: Recipe) -> tuple[Recipe, ...]:
    """The recipe followed by its gentler versions; none is harsher than the recipe itself."""
    found = [recipe]
    for changes in recipe.fallbacks:
        softened = dict(changes)
        for key, fallbacks in _GENTLER_OF.items():
            if type(softened.get(key)) in (int, float):
                given = [getattr(p, key) for p in recipe.passes if hasattr(p, key)]
                softened[key] = fallbacks([softened[key], *given])
        candidate = override(recipe, softened, f"recipe {recipe.name}")
        if _GENTLENESS[candidate.conversion.precision] < _GENTLENESS[recipe.conversion.precision]:
            continue  # the user chose a gentler type than this version would
        if all(candidate.passes != earlier.passes for earlier in found):
            found.append(candidate)
    return tuple(found)


def repaired(recipe: Recipe) -> tuple[Recipe, ...]:
    """The recipe with what repairs int8 put before its conversion, quick repairs first; none without a place.

    Clusters would not survive it, since channels are scaled one by one, and only integer types need it.
    """
    settled = any(isinstance(step, Repair | Cluster | Qat | ForestPass) for step in recipe.passes)
    if recipe.conversion.precision != "int8" or settled:
        return ()
    if any(isinstance(step, Encode) and step.encode != "none" for step in recipe.passes):
        return ()
    place = recipe.passes.index(recipe.conversion)
    quick: tuple[AnyPass, ...] = (Equalize(), Ranges(), BiasCorrect())
    thorough: tuple[AnyPass, ...] = (Equalize(), Ranges(), AdaRound(), BiasCorrect(), Mixed())
    return tuple(
        msgspec.structs.replace(recipe, passes=(*recipe.passes[:place], *repairs, *recipe.passes[place:]))
        for repairs in (quick, thorough)
    )


def describe(recipe: Recipe) -> str:
    """A recipe in a few words: what it prunes to and converts to."""
    parts = []
    for config in recipe.passes:
        if isinstance(config, PruneChannels):
            targets = {
                "MACs": config.target_macs,
                "bytes": config.target_size,
                "latency": config.target_latency_ratio,
            }
            parts += [f"{share:.0%} of the {what}" for what, share in targets.items() if share < 1]
            parts += [f"fewer channels in {len(config.keep)} layers"] if config.keep else []
        if isinstance(config, Prune):
            parts.append("2:4 sparsity" if config.pattern == "2:4" else f"{config.sparsity:.0%} sparsity")
        if isinstance(config, Cluster):
            parts.append(f"{config.clusters} clusters")
        if type(config) in _WORDS and getattr(config, "share", True):
            parts.append(_WORDS[type(config)])
        if isinstance(config, PruneTrees | DropTrees | DistillTrees) and 0 < config.share < 1:
            parts[-1] += f" (share {config.share:g})"
        if isinstance(config, QuantizeTrees):
            parts.append(f"{config.precision} tables")
        if isinstance(config, Convert):
            parts.append(config.precision + (", sparse" if config.sparse else ""))
            if config.layers:
                parts[-1] += f" but {', '.join(config.layers)}"
        if isinstance(config, Encode) and config.encode != "none":
            parts.append("encoded" if config.encode == "auto" else f"{config.encode}-encoded")
    return " + ".join(parts) or "trees as they are"


def settings(recipe: Recipe) -> list[tuple[str, str, Any, str]]:
    """Every setting of a recipe as (pass, key, value, type) rows."""
    rows = []
    for step in recipe.passes:
        for field in msgspec.structs.fields(step):
            rows.append((pass_name(step), field.name, getattr(step, field.name), type_name(field.type)))
    return rows


def as_toml(recipe: Recipe) -> str:
    """A recipe as the text of a ``.toml`` file; settings at their defaults are left out."""
    import tomli_w

    passes = []
    for step in recipe.passes:
        plain, usual = msgspec.to_builtins(step), msgspec.to_builtins(type(step)())
        passes.append({k: v for k, v in plain.items() if k == "pass" or v != usual[k]})
    return tomli_w.dumps({"name": recipe.name, "summary": recipe.summary, "passes": passes})


def type_name(annotation: Any) -> str:
    """What a setting accepts, in words: ``one of a, b``, ``number 0 to 1``, ``list of text``."""
    return _type_words(msgspec.inspect.type_info(annotation))


def _type_words(info: msgspec.inspect.Type) -> str:
    kinds = msgspec.inspect
    if isinstance(info, kinds.Metadata):
        return _type_words(info.type)
    if isinstance(info, kinds.UnionType):
        choices = [t for t in info.types if not isinstance(t, kinds.NoneType)]
        literals = [str(v) for t in choices if isinstance(t, kinds.LiteralType) for v in t.values]
        return _one_of(literals) if literals else _type_words(choices[0])
    if isinstance(info, kinds.LiteralType):
        return _one_of([str(v) for v in info.values])
    if isinstance(info, kinds.FloatType | kinds.IntType):
        word = "number" if isinstance(info, kinds.FloatType) else "whole number"
        bounds = (("from", info.ge), ("above", info.gt), ("to", info.le), ("below", info.lt))
        return word + "".join(f" {how} {bound:,}" for how, bound in bounds if bound is not None)
    if isinstance(info, kinds.VarTupleType):
        return f"list of {_type_words(info.item_type)}"
    if isinstance(info, kinds.TupleType):
        return f"list of {len(info.item_types)}: {_type_words(info.item_types[0])}"
    words = ((kinds.BoolType, "true or false"), (kinds.StrType, "text"))
    return next((word for kind, word in words if isinstance(info, kind)), "table")


def _one_of(values: list[str]) -> str:
    return "one of " + ", ".join(values)


def _checked(recipe: Recipe, where: str) -> Recipe:
    """Check what types cannot: one conversion, slimming after it, gentler settings that exist."""
    from tflite_compress.support.errors import ConfigError

    names = [pass_name(p) for p in recipe.passes]
    if any(isinstance(p, ForestPass) for p in recipe.passes):
        _require_forest_order(recipe, where)
    elif names.count("convert") != 1:
        raise ConfigError(
            f"{where}: passes: expected exactly one 'convert', got {names}", "Add or remove one."
        )
    at = names.index(pass_name(recipe.conversion))
    if names[at + 1 :] != [n for n in ("slim", "encode") if n in names]:
        raise ConfigError(
            f"{where}: passes: after 'convert' come 'slim' and 'encode', in this order and nothing else, "
            f"got {names}",
            "Reorder the passes.",
        )
    trained = next((p for p in recipe.passes if isinstance(p, Qat)), None)
    finer = [n for n in ("int4", "adaround", "bias-correct", "ranges", "mixed") if n in names]
    if trained is not None and (recipe.passes.index(trained) != at - 1 or finer):
        raise ConfigError(
            f"{where}: passes: 'qat' comes right before 'convert' and settles all rounding"
            + (f", so that '{finer[0]}' has no place beside it" if finer else ""),
            "Move or remove one.",
        )
    try:
        recipe_candidates(recipe)
    except (UsageError, ConfigError) as error:
        raise ConfigError(f"{where}: fallbacks: {error.message}", error.hint) from error
    return recipe


def _require_forest_order(recipe: Recipe, where: str) -> None:
    """A recipe for forests has no pass for networks, and ends by writing the file."""
    from tflite_compress.support.errors import ConfigError

    names = [pass_name(p) for p in recipe.passes]
    others = [pass_name(p) for p in recipe.passes if not isinstance(p, ForestPass)]
    if others:
        raise ConfigError(
            f"{where}: passes: '{others[0]}' is for neural networks, the others are for trees",
            "Make two recipes.",
        )
    if names.count("export-trees") != 1 or names[-1] != "export-trees":
        raise ConfigError(
            f"{where}: passes: expected 'export-trees' once, at the end, got {names}", "Reorder the passes."
        )
    if "quantize-trees" in names and any(
        n in names[names.index("quantize-trees") :] for n in ("prune-trees", "drop-trees", "distill-trees")
    ):
        raise ConfigError(
            f"{where}: passes: what changes trees comes before 'quantize-trees', got {names}",
            "Reorder the passes.",
        )


def _as_wanted(value: Any, current: Any) -> Any:
    """Bring a command-line value to the kind of the setting it replaces."""
    if isinstance(current, list | tuple):
        return list(value) if isinstance(value, list | tuple) else [value]
    if isinstance(current, bool) and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if isinstance(current, str):
        return "none" if value is None else str(value)
    return value

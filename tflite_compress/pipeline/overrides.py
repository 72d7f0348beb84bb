"""Settings of a recipe changed by the user: values by key, for all passes that have it or for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from tflite_compress.passes.training import LEFT_OPEN_BY
from tflite_compress.pipeline.setting_types import type_name
from tflite_compress.profiles.toml_files import typed
from tflite_compress.support.errors import ConfigError, UsageError, closest

if TYPE_CHECKING:
    from tflite_compress.pipeline.recipes import Recipe

Overrides = dict[str, Any]


def override(recipe: Recipe, overrides: Overrides, where: str | None = None) -> Recipe:
    """Return a recipe with changed settings of its passes.

    Args:
        recipe: The recipe.
        overrides: Values by key; ``key`` changes it in every pass that has it, ``pass.key`` in one.
        where: Where the overrides come from, for messages; None if the user gave them as options.

    Raises:
        UsageError: No pass has such a key.
        ConfigError: A value is of the wrong type or out of range.
    """
    values: list[Overrides] = [msgspec.to_builtins(p) for p in recipe.passes]
    names = {key.replace("-", "_").rpartition(".")[2] for key in overrides}
    for key, value in overrides.items():
        *_, name = key.replace("-", "_").rpartition(".")
        tables = _tables_with(values, key)
        if not tables:
            raise _no_such_setting(recipe, values, key)
        if where is None:
            _require_accepted(recipe, key, value)
        for table in tables:
            table[name] = _as_wanted(value, table[name])
            if name in LEFT_OPEN_BY and LEFT_OPEN_BY[name] not in names:
                table[LEFT_OPEN_BY[name]] = None
    passes = tuple(
        typed(v, type(step), f"{where or 'settings'}: {v['pass']}")
        for v, step in zip(values, recipe.passes, strict=True)
    )
    return msgspec.structs.replace(recipe, passes=passes)


def has_setting(recipe: Recipe, key: str) -> bool:
    """Return True if :func:`override` can change a setting of that key in the recipe."""
    return bool(_tables_with([msgspec.to_builtins(p) for p in recipe.passes], key))


def _tables_with(values: list[Overrides], key: str) -> list[Overrides]:
    """Return the tables that have the setting, among the passes' settings."""
    pass_part, _, name = key.replace("-", "_").rpartition(".")
    if name == "pass":
        return []
    return [table for v in values for path, table in _tables(v) if name in table and pass_part in path]


def _require_accepted(recipe: Recipe, key: str, value: object) -> None:
    """Raise ConfigError for an option whose value a setting of that name does not accept."""
    part, _, name = key.replace("-", "_").rpartition(".")
    for step in recipe.passes:
        nested = [v for v in msgspec.structs.asdict(step).values() if isinstance(v, msgspec.Struct)]
        for table in (step, *nested) if part in ("", step.tag()) else nested:
            field = next((f for f in msgspec.structs.fields(table) if f.name == name), None)
            if field is None:
                continue
            current = getattr(table, name)
            try:
                msgspec.convert(_as_wanted(value, msgspec.to_builtins(current)), field.type)
            except msgspec.ValidationError as error:
                flag = f"--{key.replace('_', '-')}"
                shown = str(current).lower() if isinstance(current, bool) else current
                raise ConfigError(
                    f"{flag}={value}: expected {type_name(field.type)}",
                    f"For example {flag}={shown}." if shown else "Leave it out for the default.",
                ) from error


def _no_such_setting(recipe: Recipe, values: list[Overrides], key: str) -> UsageError:
    known = sorted({k for v in values for _, table in _tables(v) for k in table} - {"pass", "training"})
    flags = ["--" + name.replace("_", "-") for name in known]
    return UsageError(
        f"--{key.replace('_', '-')}: recipe '{recipe.name}' has no such setting.{closest(f'--{key}', flags)}",
        f"Its settings are: {', '.join(flags)}.",
    )


def _tables(values: Overrides) -> Iterator[tuple[tuple[str, ...], Overrides]]:
    """Yield a pass's settings and each table in them, with the names a user may put before a key."""
    tag = values["pass"]
    yield ("", tag), values
    for key, value in values.items():
        if isinstance(value, dict):
            yield ("", tag, key, f"{tag}.{key}"), value


def _as_wanted(value: object, current: object) -> object:
    """Bring a command-line value to the kind of the setting it replaces."""
    if isinstance(current, list | tuple):
        return list(value) if isinstance(value, list | tuple) else [value]
    if isinstance(current, bool) and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if isinstance(current, str):
        return "none" if value is None else str(value)
    return value

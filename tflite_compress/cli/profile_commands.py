"""Commands that show device profiles and recipes: devices, recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tflite_compress.cli.command_registry import command
from tflite_compress.cli.option_types import DeviceName, RecipeName
from tflite_compress.cli.shared_calls import print_json
from tflite_compress.cli.shared_options import OutputOptions
from tflite_compress.support.errors import UsageError

T = TypeVar("T")
SECTION = "Devices and recipes"


@dataclass(frozen=True)
class ProfileOptions:
    """File.

    Attributes:
        toml: Print the TOML file, to copy and edit.
    """

    toml: bool = False


@command(SECTION, "rp2040", name="A device profile: a name, or the path of a TOML file.")
def devices(name: DeviceName | None = None, *, options: ProfileOptions, output: OutputOptions) -> int:
    """List device profiles, or show one with the source of each fact."""
    from tflite_compress.profiles import device_table
    from tflite_compress.profiles.devices import all_devices, find_device, load_device

    kind = _Kind("devices", find_device, load_device, all_devices)
    return _show(kind, name, options, output, device_table.print_device, device_table.print_devices)


@command(SECTION, "int8", name="A recipe: a name, or the path of a TOML file.")
def recipes(name: RecipeName | None = None, *, options: ProfileOptions, output: OutputOptions) -> int:
    """List recipes, or explain one with all settings."""
    from tflite_compress.pipeline import recipe_table
    from tflite_compress.pipeline.recipes import all_recipes, load_recipe
    from tflite_compress.profiles.toml_files import find

    kind = _Kind("recipes", lambda given: find("recipes", given), load_recipe, all_recipes)
    return _show(kind, name, options, output, recipe_table.print_recipe, recipe_table.print_recipes)


@dataclass(frozen=True)
class _Kind(Generic[T]):
    """Where profiles or recipes come from."""

    name: str
    find: Callable[[str], Path]
    load: Callable[[str], T]
    load_all: Callable[[], list[T]]


def _show(
    kind: _Kind[T],
    name: str | None,
    options: ProfileOptions,
    output: OutputOptions,
    show: Callable[[T], None],
    show_all: Callable[[list[T]], None],
) -> int:
    """Print all profiles or recipes, or one: as a table, as JSON, or as its file. Mistakes are refused."""
    import msgspec

    if options.toml and output.json:
        raise UsageError("--toml and --json exclude each other", "Remove one of them.")
    if name is None:
        if options.toml:
            raise UsageError("--toml: NAME is missing", f"'tflite-compress {kind.name}' lists the names.")
        found = kind.load_all()
        print_json(msgspec.to_builtins(found)) if output.json else show_all(found)
        return 0
    value = kind.load(name)
    if options.toml:
        print(kind.find(name).read_text(encoding="utf-8"), end="")
    elif output.json:
        print_json(msgspec.to_builtins(value))
    else:
        show(value)
    return 0

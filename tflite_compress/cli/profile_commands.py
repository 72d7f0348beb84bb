"""Commands that show device profiles and recipes: devices, recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tflite_compress.cli.command_registry import command
from tflite_compress.support.errors import UsageError

T = TypeVar("T")
SECTION = "Devices and recipes"


@dataclass(frozen=True)
class ProfileOptions:
    """Output.

    Attributes:
        toml: Print the TOML file, to copy and edit.
    """

    toml: bool = False


@command(SECTION, "rp2040", name="A device profile: a name, or the path of a TOML file.")
def devices(name: str | None = None, *, options: ProfileOptions) -> int:
    """List device profiles, or show one with its sources."""
    from tflite_compress.profiles import device_table
    from tflite_compress.profiles.devices import all_devices, load_device

    if name is None and not options.toml:
        device_table.print_devices(all_devices())
        return 0
    return _show("devices", name, options.toml, load_device, device_table.print_device)


@command(SECTION, "int8", name="A recipe: a name, or the path of a TOML file.")
def recipes(name: str | None = None, *, options: ProfileOptions) -> int:
    """List recipes, or show one with all settings."""
    from tflite_compress.pipeline import recipe_table
    from tflite_compress.pipeline.recipes import all_recipes, load_recipe

    if name is None and not options.toml:
        recipe_table.print_recipes(all_recipes())
        return 0
    return _show("recipes", name, options.toml, load_recipe, recipe_table.print_recipe)


def _show(
    kind: str, name: str | None, toml: bool, load: Callable[[str], T], show: Callable[[T], None]
) -> int:
    """Print one profile or recipe as a table, or its file. A file with a mistake is refused in both."""
    from tflite_compress.profiles.toml_files import find

    if name is None:
        raise UsageError("--toml: NAME is missing", f"'tflite-compress {kind}' lists the names.")
    value = load(name)
    if toml:
        print(find(kind, name).read_text(encoding="utf-8"), end="")
    else:
        show(value)
    return 0

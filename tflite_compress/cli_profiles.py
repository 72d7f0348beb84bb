"""The commands that show device profiles and recipes, or hand out their files to start one's own from."""

from __future__ import annotations

from typing import Any

from tflite_compress.cli_values import flag, refuse_extra
from tflite_compress.errors import UsageError


def devices(name: Any = None, *extra: str, toml: bool = False) -> int:
    """List device profiles, or show one with the source of each fact.

    Args:
        name: A profile's name or the path of a TOML file.
        extra: Nothing else is expected.
        toml: Print the profile's file instead, to start one of your own from.
    """
    refuse_extra(extra)
    from tflite_compress.devices import all_devices, load_device
    from tflite_compress.report import table

    if flag(toml, "toml"):
        _print_file("devices", name, load_device)
    elif name is None:
        table.print_devices(all_devices())
    else:
        table.print_device(load_device(str(name)))
    return 0


def recipes(name: Any = None, *extra: str, toml: bool = False) -> int:
    """List recipes, or show one with all its settings.

    Args:
        name: A recipe's name or the path of a TOML file.
        extra: Nothing else is expected.
        toml: Print the recipe's file instead, to start one of your own from.
    """
    refuse_extra(extra)
    from tflite_compress.recipes import all_recipes, load_recipe
    from tflite_compress.report import table

    if flag(toml, "toml"):
        _print_file("recipes", name, load_recipe)
    elif name is None:
        table.print_recipes(all_recipes())
    else:
        table.print_recipe(load_recipe(str(name)))
    return 0


def _print_file(kind: str, name: Any, load: Any) -> None:
    from tflite_compress.tomlfiles import find

    if name is None:
        raise UsageError("--toml: nothing named", f"'tflite-compress {kind}' lists what there is.")
    load(str(name))  # a file with a mistake is no start
    print(find(kind, str(name)).read_text(encoding="utf-8"), end="")

"""The commands that show device profiles and recipes, or hand out their files to start one's own from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tflite_compress.cli.option_values import flag, refuse_extra
from tflite_compress.support.errors import UsageError

T = TypeVar("T")


def devices(name: Any = None, *extra: str, toml: bool = False) -> int:
    """List device profiles, or show one with the source of each fact.

    Args:
        name: A profile's name or the path of a TOML file.
        extra: Nothing else is expected.
        toml: Print the profile's file instead, to start one of your own from.
    """
    refuse_extra(extra)
    from tflite_compress.profiles.devices import all_devices, load_device
    from tflite_compress.reporting import results_table as table

    if name is None and not flag(toml, "toml"):
        table.print_devices(all_devices())
        return 0
    return _show("devices", name, toml, load_device, table.print_device)


def recipes(name: Any = None, *extra: str, toml: bool = False) -> int:
    """List recipes, or show one with all its settings.

    Args:
        name: A recipe's name or the path of a TOML file.
        extra: Nothing else is expected.
        toml: Print the recipe's file instead, to start one of your own from.
    """
    refuse_extra(extra)
    from tflite_compress.pipeline.recipes import all_recipes, load_recipe
    from tflite_compress.reporting import results_table as table

    if name is None and not flag(toml, "toml"):
        table.print_recipes(all_recipes())
        return 0
    return _show("recipes", name, toml, load_recipe, table.print_recipe)


def _show(kind: str, name: Any, toml: Any, load: Callable[[str], T], shown: Callable[[T], None]) -> int:
    """One profile or recipe as a table, or as its file; a file with a mistake is neither."""
    from tflite_compress.profiles.toml_files import find

    if name is None:
        raise UsageError("--toml: nothing named", f"'tflite-compress {kind}' lists what there is.")
    value = load(str(name))
    if flag(toml, "toml"):
        print(find(kind, str(name)).read_text(encoding="utf-8"), end="")
    else:
        shown(value)
    return 0

"""Device profiles and recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tflite_compress.pipeline.recipes import Recipe
    from tflite_compress.profiles.devices import Device


def devices() -> list[Device]:
    """Return the bundled device profiles, by name.

    Examples:
        >>> "rp2040" in [device.name for device in devices()]
        True
    """
    from tflite_compress.profiles.devices import all_devices

    return all_devices()


def load_device(name: str) -> Device:
    """Return a device profile.

    Args:
        name: Name of a bundled profile, or path of a TOML file.

    Raises:
        ConfigError: There is no such profile, or it has a mistake.

    Examples:
        >>> load_device("rp2040").memory.ram_bytes
        270336
    """
    from tflite_compress.profiles.devices import load_device as load

    return load(name)


def recipes() -> list[Recipe]:
    """Return the bundled recipes, by name.

    Examples:
        >>> "int8" in [recipe.name for recipe in recipes()]
        True
    """
    from tflite_compress.pipeline.recipes import all_recipes

    return all_recipes()


def load_recipe(name: str) -> Recipe:
    """Return a recipe.

    Args:
        name: Name of a bundled recipe, or path of a TOML file.

    Raises:
        ConfigError: There is no such recipe, or it has a mistake.

    Examples:
        >>> [step.tag() for step in load_recipe("float16").passes][0]
        'convert'
    """
    from tflite_compress.pipeline.recipes import load_recipe as load

    return load(name)

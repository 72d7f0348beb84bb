"""Which passes there are: the modules of this package, and those that other distributions add.

A module directly in ``passes`` is imported when passes are first asked for; :func:`~.base.register` makes its
classes known. Another distribution adds passes by an entry point in the group ``tflite_compress.passes`` that
names a module. Entry points are only read where a recipe names a pass that is not known, or all are listed.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from tflite_compress.passes.base import REGISTERED, Domain, PassConfig
from tflite_compress.support.errors import ConfigError, closest

GROUP = "tflite_compress.passes"


def all_passes() -> dict[str, type[PassConfig]]:
    """Return every pass by its tag, those of other distributions included.

    Raises:
        ConfigError: A distribution's entry point cannot be loaded.
    """
    _import_own()
    _import_entry_points()
    domains = list(Domain)
    found = sorted(REGISTERED.values(), key=lambda kind: (domains.index(kind.domain), kind.stage, kind.tag()))
    return {kind.tag(): kind for kind in found}


def pass_type(tag: str) -> type[PassConfig]:
    """Return the pass of a tag; hyphens count as underscores.

    Raises:
        ConfigError: There is none, or a distribution's entry point cannot be loaded.
    """
    _import_own()
    name = tag.replace("-", "_")
    if name not in REGISTERED:
        _import_entry_points()
    if name not in REGISTERED:
        raise ConfigError(
            f"there is no pass '{tag}'.{closest(name, list(REGISTERED))}",
            f"Use one of {', '.join(sorted(REGISTERED))}.",
        )
    return REGISTERED[name]


@functools.cache
def _import_own() -> None:
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg:
            importlib.import_module(f"{__package__}.{module.name}")


@functools.cache
def _import_entry_points() -> None:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            raise ConfigError(
                f"the passes of '{point.value}' cannot be loaded ({type(error).__name__}: {error})",
                "Repair or uninstall the distribution that adds them.",
            ) from error

"""Sections of a report. A section is one module here that registers itself; it renders to every medium."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from tflite_compress.reporting.sections.section_registry import REGISTERED, Section


@functools.cache
def all_sections() -> tuple[Section, ...]:
    """Return the sections of every module in this package, in the order they are shown."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return tuple(sorted(REGISTERED, key=lambda section: section.order))

"""The templates of the bundles."""

from __future__ import annotations

from pathlib import Path

from tflite_compress.support.source_text import fill_template

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **values: object) -> bytes:
    """Return a template of this package with its values filled in.

    Args:
        template: Its file name.
        values: A value for every ``@@name`` in it.
    """
    return fill_template(_TEMPLATES / template, **values)

"""Read what docstrings say about attributes, for help and tables."""

from __future__ import annotations

import inspect
import re

_ATTRIBUTE = re.compile(r"^    (\w[\w, ]*): ((?:.|\n(?!    \w[\w, ]*: ))*)", re.MULTILINE)


def attribute_meanings(kind: type) -> dict[str, str]:
    """Return the description of each attribute in the docstrings of a class and its bases.

    Args:
        kind: A class whose docstring documents its attributes under ``Attributes:``.
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        attributes = (inspect.getdoc(base) if "__doc__" in vars(base) else "") or ""
        for names, text in _ATTRIBUTE.findall(attributes.partition("Attributes:\n")[2]):
            found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def attribute_summary(kind: type) -> str:
    """Return the docstring of a class up to its attributes, on one line."""
    return " ".join((inspect.getdoc(kind) or "").partition("Attributes:")[0].split())

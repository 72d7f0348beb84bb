"""Templates of source files, and names that programming languages accept."""

from __future__ import annotations

import re
import string
from pathlib import Path


class _Template(string.Template):
    """``@@name`` stands for a value: ``$`` and ``@`` mean something in the languages written here."""

    delimiter = "@@"


def fill_template(path: Path, **values: object) -> bytes:
    """Return a template file with its values filled in.

    Args:
        path: The template.
        values: A value for every ``@@name`` in it.
    """
    text = path.read_text(encoding="utf-8")
    return _Template(text).substitute({key: str(value) for key, value in values.items()}).encode()


def identifier(name: str) -> str:
    """Return a name of letters, digits and underscores that starts with a letter: ``a-b 2`` → ``a_b_2``."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "model"
    return plain if plain[0].isalpha() else f"model_{plain}"


def class_name(name: str) -> str:
    """Return an identifier in Kotlin's style: ``my_model_2`` → ``MyModel2``."""
    return "".join(part.capitalize() for part in identifier(name).split("_"))

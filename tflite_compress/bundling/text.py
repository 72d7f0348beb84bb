"""Filling templates, and names that programming languages accept."""

from __future__ import annotations

import re
import string
from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")


class _Template(string.Template):
    """``@@name`` stands for a value: ``$`` and ``@`` mean something in the languages written here."""

    delimiter = "@@"


def filled(template: str, **values: object) -> bytes:
    """A template file with its values filled in.

    Args:
        template: Its file name.
        values: A value for every ``@@name`` in it.
    """
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return _Template(text).substitute({key: str(value) for key, value in values.items()}).encode()


def identifier(name: str) -> str:
    """A name of letters, digits and underscores that starts with a letter: ``a-b 2`` → ``a_b_2``."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "model"
    return plain if plain[0].isalpha() else f"model_{plain}"


def class_name(name: str) -> str:
    """The same in Kotlin's style: ``my_model_2`` → ``MyModel2``."""
    return "".join(part.capitalize() for part in identifier(name).split("_"))

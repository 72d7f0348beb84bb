"""C text: the templates of this package, and constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tflite_compress.support.source_text import fill_template

_TEMPLATES = Path(__file__).with_name("templates")

C_TYPES = {
    **{f"int{bits}": f"int{bits}_t" for bits in (8, 16, 32)},
    **{f"uint{bits}": f"uint{bits}_t" for bits in (8, 16, 32)},
}
_A_LINE = 16


def filled(template: str, **values: object) -> bytes:
    """Return a template of this package with its values filled in.

    Args:
        template: Its file name.
        values: A value for every ``@@name`` in it.
    """
    return fill_template(_TEMPLATES / template, **values)


def c_type(values: np.ndarray) -> str:
    """The C type of an array's numbers."""
    return C_TYPES.get(values.dtype.name, "float")


def table(name: str, values: np.ndarray) -> str:
    """A constant array of one or two dimensions."""
    rows = values.reshape(-1, values.shape[1]) if values.ndim == 2 else None
    size = "".join(f"[{d}]" for d in values.shape)
    body = _cells(values) if rows is None else ",\n    ".join("{" + _cells(row) + "}" for row in rows)
    return f"static const {c_type(values)} {name}{size} = {{\n    {body}}};"


def number(value: float) -> str:
    """A float32 literal that reads back as the same number."""
    text = repr(float(np.float32(value)))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _cells(values: np.ndarray) -> str:
    texts = [number(v) if values.dtype.kind == "f" else str(v) for v in values.tolist()]
    return ",\n    ".join(", ".join(texts[i : i + _A_LINE]) for i in range(0, len(texts), _A_LINE))

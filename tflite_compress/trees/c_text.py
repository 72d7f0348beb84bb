"""Write C constants, and fill in this package's templates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tflite_compress.support.source_text import fill_template

_TEMPLATES = Path(__file__).with_name("templates")

C_TYPES = {
    **{f"int{bits}": f"int{bits}_t" for bits in (8, 16, 32)},
    **{f"uint{bits}": f"uint{bits}_t" for bits in (8, 16, 32)},
}
_VALUES_PER_LINE = 16


def fill_forest_template(template: str, **values: object) -> bytes:
    """Return one of this package's templates with its values filled in.

    Args:
        template: Its file name.
        values: A value for every ``@@name`` in it.

    Returns:
        The text as UTF-8.
    """
    return fill_template(_TEMPLATES / template, **values)


def c_type(values: np.ndarray) -> str:
    """Return the C type of an array's elements."""
    return C_TYPES.get(values.dtype.name, "float")


def c_array(name: str, values: np.ndarray) -> str:
    """Return the definition of a constant array with one or two dimensions."""
    rows = values.reshape(-1, values.shape[1]) if values.ndim == 2 else None
    size = "".join(f"[{d}]" for d in values.shape)
    body = _cells(values) if rows is None else ",\n    ".join("{" + _cells(row) + "}" for row in rows)
    return f"static const {c_type(values)} {name}{size} = {{\n    {body}}};"


def float_literal(value: float) -> str:
    """Return a float32 literal that a C compiler reads as exactly this value."""
    text = repr(float(np.float32(value)))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _cells(values: np.ndarray) -> str:
    texts = [float_literal(v) if values.dtype.kind == "f" else str(v) for v in values.tolist()]
    return ",\n    ".join(
        ", ".join(texts[i : i + _VALUES_PER_LINE]) for i in range(0, len(texts), _VALUES_PER_LINE)
    )

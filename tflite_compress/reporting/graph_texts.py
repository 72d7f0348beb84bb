"""What the network graph says of an operator: in its box, on hover, and in the table."""

from __future__ import annotations

from dataclasses import dataclass

from tflite_compress.reporting.detail_figures import NetworkOperator
from tflite_compress.support.quantities import format_bytes, format_ms, format_number, format_share

MAX_LETTERS, MAX_SHAPE = 40, 24
# Fill of a box by precision where no style sheet decides: on white paper.
PAPER = {
    "int4": "#ead9f7",
    "int8": "#d9f0df",
    "int16": "#f7efcf",
    "float16": "#d8e9f8",
    "float32": "#f1f3f5",
    "other": "#ffffff",
}
HEADS = ("#", "operator", "layer", "precision", "output", "weights", "MACs", "time", "noise added")
_WORDS = ("", "", "", "", "output ", "weights ", "MACs ", "time ", "noise added ")


@dataclass(frozen=True)
class BoxTexts:
    """Texts of a box.

    Attributes:
        operator: Upper left, bold.
        number: Upper right.
        layer: Second line.
        figures: Lower left: size of the weights, and MACs.
        precision: Lower right.
        shape: Below the box.
    """

    operator: str
    number: str
    layer: str
    figures: str
    precision: str
    shape: str


def box_texts(op: NetworkOperator) -> BoxTexts:
    """Return the texts of an operator's box, shortened so that they do not overlap."""
    precision = _type(op) if op.weight_type in (None, op.type) else f"{_weights(op)} weights"
    figures = " · ".join(f for f in (_size(op), f"{_macs(op)} MACs" if op.macs else "") if f)
    return BoxTexts(
        _short(op.operator, MAX_LETTERS - 6),
        f"#{op.index}",
        _short(op.layer or "", MAX_LETTERS),
        _short(figures, MAX_LETTERS + 2 - len(precision)),
        precision,
        _short(", ".join(map(_shape, (op.shape, *op.other_shapes))), MAX_SHAPE),
    )


def precision_of(op: NetworkOperator) -> str:
    """Return the precision that colours a box, a key of ``PAPER``: of the weights, else of the output."""
    kind = (op.weight_type or op.type or "").lower()
    return kind if kind in PAPER else "other"


def table_cells(op: NetworkOperator) -> tuple[str, ...]:
    """Return the cells of an operator under ``HEADS``."""
    return (
        str(op.index),
        op.operator,
        op.layer or "",
        _type(op) if op.weight_type in (None, op.type) else f"{_type(op)}, {_weights(op)} weights",
        ", ".join(map(_shape, (op.shape, *op.other_shapes))),
        _size(op),
        _macs(op),
        "" if op.ms is None else format_ms(op.ms),
        "" if op.added_noise is None else format_share(op.added_noise),
    )


def in_words(op: NetworkOperator) -> str:
    """Describe an operator in a line."""
    number, *cells = (
        f"{word}{cell}" if cell else "" for word, cell in zip(_WORDS, table_cells(op), strict=True)
    )
    plural = "s" if op.unpacks > 1 else ""
    unpacks = f"with {op.unpacks} operator{plural} that unpack{'' if plural else 's'} its constants"
    return f"{number}: {', '.join([cell for cell in cells if cell] + ([unpacks] if op.unpacks else []))}"


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else "…" + text[1 - letters :]


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _type(op: NetworkOperator) -> str:
    return (op.type or "").lower()


def _weights(op: NetworkOperator) -> str:
    return (op.weight_type or "").lower()


def _size(op: NetworkOperator) -> str:
    return format_bytes(op.bytes) if op.bytes else ""


def _macs(op: NetworkOperator) -> str:
    return format_number(op.macs) if op.macs else ""

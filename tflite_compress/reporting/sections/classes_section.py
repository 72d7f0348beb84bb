"""Which classes changed: the confusion matrix of the result, with the change from the original."""

from __future__ import annotations

from dataclasses import dataclass

from tflite_compress.reporting.detail_figures import ClassFigures
from tflite_compress.reporting.html import render
from tflite_compress.reporting.recorded import Recorded
from tflite_compress.reporting.sections.section_registry import NotShown, Section, register


@dataclass(frozen=True)
class Cell:
    """One count of the matrix.

    Attributes:
        count: Samples of the row's label that the result predicts as the column's class.
        change: That count minus the original's.
        is_diagonal: True for correct predictions.
    """

    count: int
    change: int
    is_diagonal: bool


def matrix_rows(found: ClassFigures) -> list[tuple[str, list[Cell]]]:
    """Return one row per label, with its name."""
    return [
        (name, [Cell(a, a - b, i == j) for j, (b, a) in enumerate(zip(before, after, strict=True))])
        for i, (name, before, after) in enumerate(zip(found.names, found.before, found.after, strict=True))
    ]


def class_changes(found: ClassFigures) -> str:
    """Say which classes are recognized more or less often than before."""
    changes = {name: cells[i].change for i, (name, cells) in enumerate(matrix_rows(found))}
    lost = [f"{name} ({change:+d})" for name, change in changes.items() if change < 0]
    gained = [f"{name} ({change:+d})" for name, change in changes.items() if change > 0]
    parts = [f"Fewer correct: {', '.join(lost)}."] if lost else []
    parts += [f"More correct: {', '.join(gained)}."] if gained else []
    return " ".join(parts) or "Each class has as many correct predictions as before."


def _figures(found: Recorded) -> ClassFigures | None:
    return None if found.report.details is None else found.report.details.classes


def to_html(found: Recorded) -> str | None:
    """Render the matrix."""
    figures = _figures(found)
    if figures is None:
        return None
    return render(
        "sections/classes.html",
        summary=class_changes(figures),
        names=figures.names,
        rows=matrix_rows(figures),
    )


def to_markdown(found: Recorded) -> str | None:
    """Render which classes changed."""
    figures = _figures(found)
    return None if figures is None else f"Classes: {class_changes(figures)}"


ON_THE_PAGE = NotShown("the matrix is on the page; the terminal shows the accuracy")
register(Section("classes", 65, to_html, to_markdown, ON_THE_PAGE))

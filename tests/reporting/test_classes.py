from __future__ import annotations

import numpy as np

from tflite_compress.reporting.classes import count_pairs
from tflite_compress.reporting.detail_figures import ClassFigures
from tflite_compress.reporting.sections.classes_section import class_changes, matrix_rows

LABELS = np.array([0, 0, 1, 1, 2])


def figures(after: list[int]) -> ClassFigures:
    before = count_pairs(LABELS, np.array([0, 0, 1, 2, 2]), 3)
    return ClassFigures(
        names=("cat", "dog", "cow"), before=before, after=count_pairs(LABELS, np.array(after), 3)
    )


def test_counts_have_a_row_per_label() -> None:
    assert figures([0, 1, 1, 1, 2]).after == ((1, 1, 0), (0, 2, 0), (0, 0, 1))


def test_changed_classes_are_named() -> None:
    found = figures([0, 1, 1, 1, 2])
    assert class_changes(found) == "Fewer correct: cat (-1). More correct: dog (+1)."
    assert class_changes(figures([0, 0, 1, 2, 2])) == "Each class has as many correct predictions as before."
    name, cells = matrix_rows(found)[1]
    assert name == "dog" and [(c.count, c.change, c.is_diagonal) for c in cells] == [
        (0, 0, False),
        (2, 1, True),
        (0, -1, False),
    ]

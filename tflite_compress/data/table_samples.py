"""Rows of a table, or windows of them, as samples with labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite_compress.data.class_numbers import choose_class_names, number_classes, numbering_note
from tflite_compress.data.row_shapes import choose_shape
from tflite_compress.data.samples import ArrayGroup, RawData
from tflite_compress.data.table_columns import Columns, read_columns
from tflite_compress.data.windows import number_stretches, take_windows, window_classes, window_spans
from tflite_compress.models.network import TensorSpec
from tflite_compress.support.errors import DataError
from tflite_compress.support.notes import Note

if TYPE_CHECKING:
    from tflite_compress.data.files.table import Table
    from tflite_compress.data.sources import ReadOptions


@dataclass(frozen=True)
class RowLabels:
    """Labels of rows for one output.

    Attributes:
        values: Class numbers (int64) or targets (float64), shape (rows,).
        class_names: Names of the classes; empty if labels are numbers.
        notes: How names became numbers.
        known: Labels that the model file itself names, by class number; empty if it names none.
    """

    values: np.ndarray
    class_names: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    known: tuple[object, ...] = ()

    def of_windows(self, spans: np.ndarray) -> RowLabels:
        """Return the labels of windows: the class that most rows have, or the target of the last row."""
        if self.values.dtype.kind == "f":
            return RowLabels(self.values[spans[:, 2] - 1])
        values, mixed = window_classes(self.values, spans)
        text = f"{mixed:,} of {len(spans):,} windows have rows of several classes; that of most rows is taken"
        notes = (Note("windows-of-several-classes", text),) if mixed else ()
        return replace(self, values=values, notes=(*self.notes, *notes))

    @property
    def bindable(self) -> np.ndarray:
        """The values as the checks against the model take them: with its own labels, if it has some."""
        return np.array(self.known, object)[self.values] if self.known else self.values


def table_samples(table: Table, inputs: tuple[str, ...], options: ReadOptions) -> RawData:
    """Read a table.

    Args:
        table: The file and its settings.
        inputs: Columns with the inputs.
        options: The model's input and outputs.

    Raises:
        DataError: The table is malformed or does not fit the model.
        UsageError: The settings contradict the model.
    """
    window = table.window
    shape: tuple[int, ...] = (-1,)
    if options.keeps_shape:
        window, shape = choose_shape(options.input, inputs, window, table.path)
    table.require_window(window)
    texts = dict.fromkeys((*table.labels, *([table.group] if table.group else ())))
    found = read_columns(Path(table.path), inputs, tuple(texts), options.input.nan)
    labels = [_row_labels(table, found, name, options) for name in table.labels]
    stretches = number_stretches(found.texts[table.group] if table.group else None, len(found.numbers))
    spans: np.ndarray | None = None
    arrays, notes = found.numbers, [note for label in labels for note in label.notes]
    if window is not None:
        spans = _spans(table, stretches, window)
        arrays, labels = take_windows(arrays, spans), [label.of_windows(spans) for label in labels]
        notes = [_window_note(spans, window, stretches), *(note for label in labels for note in label.notes)]
    elif table.group:
        rows = np.arange(len(arrays))
        spans = np.stack([stretches, rows, rows + 1], axis=1)
    if options.keeps_shape:
        arrays = arrays.reshape(len(arrays), *shape)
    class_names = labels[0].class_names if len(labels) == 1 else ()
    return RawData(arrays, _combined(labels, options), table.path, class_names, tuple(notes), spans)


def _spans(table: Table, stretches: np.ndarray, window: int) -> np.ndarray:
    spans = window_spans(stretches, window, table.stride or window)
    if len(spans):
        return spans
    longest = int(np.bincount(stretches).max())
    where = (
        f"the longest recording by '{table.group}' has {longest:,} rows"
        if table.group
        else f"has {longest:,} rows"
    )
    raise DataError(f"{table.path}: {where}, a window takes {window:,}", "Give longer recordings.")


def _window_note(spans: np.ndarray, window: int, stretches: np.ndarray) -> Note:
    recordings = len(np.unique(stretches))
    left = recordings - len(np.unique(spans[:, 0]))
    plural = "s" if recordings > 1 else ""
    text = f"{len(spans):,} windows of {window:,} rows from {recordings:,} recording{plural}"
    return Note("windows", text + (f"; {left:,} are shorter than a window and left out" if left else ""))


def _row_labels(table: Table, found: Columns, name: str, options: ReadOptions) -> RowLabels:
    """Return the labels in one column as class numbers or targets, as the model's output asks for."""
    output = _output_of(table, name, options)
    values = found.texts[name]

    def place(row: int) -> str:
        return found.place(row, name)

    if output is not None and output.labels:
        return _known_labels(values, output, place)
    if values.dtype.kind == "O":
        names = choose_class_names(values.tolist(), table.classes, output, f"{table.path}: column '{name}'")
        notes = () if table.classes else (numbering_note(names),)
        return RowLabels(number_classes(values, names, place), names, notes)
    classes = output.shape[-1] if output is not None and len(table.labels) == 1 else None
    if classes is None or classes == 1:
        return RowLabels(values)
    bad = (values != np.round(values)) | (values < 0) | (values >= classes)
    if bad.any():
        first = int(np.argmax(bad))
        raise DataError(
            f"{place(first)}: {values[first]:g}, the model has classes 0 to {classes - 1}",
            "Number the classes from 0 in the order of the model's outputs, or give their names.",
        )
    return RowLabels(values.astype(np.int64), tuple(table.classes or ()))


def _known_labels(values: np.ndarray, output: TensorSpec, place: Callable[[int], str]) -> RowLabels:
    """Return the numbers of labels that the model file itself names, as decision trees do."""
    names = [str(label) for label in output.labels]
    words = [f"{v:g}" if isinstance(v, float) else str(v) for v in values.tolist()]
    numbers = number_classes(np.array(words, object), names, place)
    return RowLabels(numbers, known=output.labels)


def _output_of(table: Table, name: str, options: ReadOptions) -> TensorSpec | None:
    """Return the output that a column has labels for, None if unknown."""
    if len(options.outputs) == len(table.labels):
        return options.outputs[table.labels.index(name)]
    return options.outputs[0] if len(options.outputs) == 1 else None


def _combined(labels: list[RowLabels], options: ReadOptions) -> ArrayGroup | None:
    """Return the labels of all columns: one array per output, or one with a column each."""
    if not labels:
        return None
    arrays = [label.bindable for label in labels]
    if len(arrays) == 1:
        return arrays[0]
    return arrays if len(options.outputs) == len(arrays) else np.stack(arrays, axis=1)

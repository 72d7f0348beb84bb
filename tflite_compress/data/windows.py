"""Windows of time series: which rows each has, and its label."""

from __future__ import annotations

import numpy as np


def window_spans(stretches: np.ndarray, window: int, stride: int) -> np.ndarray:
    """Return the windows of rows that are in one stretch.

    Args:
        stretches: Number of the stretch of each row, shape (rows,), in ascending order.
        window: Rows per window.
        stride: Rows from the start of a window to the start of the next.

    Returns:
        Shape (windows, 3), int64: the stretch, the first row, and the row after the last.
    """
    starts = np.searchsorted(stretches, np.unique(stretches))
    ends = np.append(starts[1:], len(stretches))
    spans = [
        np.stack([np.full(len(first), stretches[start]), first, first + window], axis=1)
        for start, end in zip(starts, ends, strict=True)
        if len(first := np.arange(start, end - window + 1, stride))
    ]
    return np.concatenate(spans).astype(np.int64) if spans else np.empty((0, 3), np.int64)


def number_stretches(marks: np.ndarray | None, rows: int) -> np.ndarray:
    """Number the runs of equal values, shape (rows,); without values all rows are one run."""
    if marks is None or rows == 0:
        return np.zeros(rows, np.int64)
    return np.concatenate([[0], np.cumsum(marks[1:] != marks[:-1])]).astype(np.int64)


def take_windows(values: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return the rows of windows of one length, shape (windows, rows per window, columns)."""
    window = int(spans[0, 2] - spans[0, 1])
    views = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)
    return np.moveaxis(views[spans[:, 1]], -1, 1)


def window_classes(classes: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the class that most rows of each window have, and how many windows have several classes.

    Args:
        classes: Class number of each row, int64, shape (rows,).
        spans: Windows.
    """
    counts = [np.bincount(classes[start:end]) for _, start, end in spans]
    mixed = sum(int(np.count_nonzero(count)) > 1 for count in counts)
    return np.array([count.argmax() for count in counts], np.int64), mixed

"""Arrays larger than what memory should hold lie in a file that is mapped, and are made block by block.

The file is unlinked as soon as it is opened, so nothing is left behind however the process ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from tflite_compress.support.errors import DataError

LARGE_BYTES = 1 << 30
BLOCK_BYTES = 64 << 20
KEPT_FREE_BYTES = 256 << 20


def array_for(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array to be filled: in memory, or in a mapped file where it is large.

    Raises:
        DataError: There is no room on the disk.
    """
    dtype = np.dtype(dtype)
    count = int(np.prod(shape, dtype=object))
    if count * dtype.itemsize <= LARGE_BYTES:
        return np.empty(shape, dtype)
    return mapped(room_for(count * dtype.itemsize), 0, shape, dtype, "r+")


def mapped(file: IO[bytes], offset: int, shape: tuple[int, ...], dtype: Any, mode: Any = "r") -> np.ndarray:
    """An array over the bytes of an open file."""
    return np.memmap(file, dtype, mode, offset, shape)


def room_for(size: int) -> IO[bytes]:
    """An unlinked file of a size, in the cache folder.

    Raises:
        DataError: There is no room on the disk.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(cache) / "tflite-compress" / "spool"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if size > free - KEPT_FREE_BYTES:
            raise DataError(
                f"the data takes {size / 2**30:,.1f} GB, and {folder} has {free / 2**30:,.1f} GB free",
                "Give less data, or set XDG_CACHE_HOME to a folder on a larger disk.",
            )
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        file.truncate(size)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})", "Set XDG_CACHE_HOME.") from error
    return file


def blocks(array: np.ndarray) -> list[slice]:
    """Ranges of rows that take about ``BLOCK_BYTES`` each."""
    row = max(1, array.nbytes // max(1, len(array)))
    step = max(1, BLOCK_BYTES // row)
    return [slice(start, min(start + step, len(array))) for start in range(0, len(array), step)]


def in_blocks(array: np.ndarray, function: Callable[[np.ndarray], np.ndarray], dtype: Any) -> np.ndarray:
    """``function`` of an array, computed block by block where the array is large.

    Args:
        array: Shape (samples, ...).
        function: Gives for any rows as many of the same shape.
        dtype: Of the result.
    """
    if array.nbytes <= LARGE_BYTES:
        return np.asarray(function(array), dtype)
    result = array_for(array.shape, dtype)
    for rows in blocks(array):
        result[rows] = function(np.asarray(array[rows]))
    return result


def rows_of(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The rows at ``indices``, in that order, in a mapped file where they are large."""
    if len(array) == 0 or array.nbytes // len(array) * len(indices) <= LARGE_BYTES:
        return np.asarray(array[indices])
    result = array_for((len(indices), *array.shape[1:]), array.dtype)
    for rows in blocks(result):
        result[rows] = array[indices[rows]]
    return result


class Rows:
    """Rows that come one by one, of a number not known before."""

    def __init__(self) -> None:
        self._kept: list[np.ndarray] = []
        self._count = 0
        self._file: IO[bytes] | None = None

    def append(self, row: np.ndarray) -> None:
        """Add a row.

        Raises:
            ValueError: It has another shape or type than the first.
        """
        row = np.asarray(row)
        if self._count == 0:
            self._shape, self._dtype = row.shape, row.dtype
        if (row.shape, row.dtype) != (self._shape, self._dtype):
            raise ValueError(f"a sample of shape {row.shape} after one of {self._shape}")
        self._count += 1
        self._kept.append(row)
        if len(self._kept) * row.nbytes > LARGE_BYTES:
            self._write_out()

    def _write_out(self) -> None:
        if self._file is None:
            self._file = room_for(0)
        room_for(sum(row.nbytes for row in self._kept)).close()  # says so where there is none
        for row in self._kept:
            self._file.write(np.ascontiguousarray(row).data)
        self._kept = []

    def finish(self) -> np.ndarray:
        """All rows as one array."""
        if self._file is None:
            return np.stack(self._kept)
        self._write_out()
        self._file.flush()
        return mapped(self._file, 0, (self._count, *self._shape), self._dtype)

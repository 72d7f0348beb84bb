"""Store large arrays in memory-mapped files and compute them in blocks.

Each file is unlinked when it is opened, so it is deleted when the process ends.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from tflite_compress.support.cache_folder import cache_folder
from tflite_compress.support.errors import DataError

LARGE_BYTES = 1 << 30
BLOCK_BYTES = 64 << 20
KEPT_FREE_BYTES = 256 << 20


def allocate_array(shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray:
    """Allocate an array in memory, or in a mapped file if it is larger than 1 GB.

    Raises:
        DataError: The disk has no space for it.
    """
    dtype = np.dtype(dtype)
    count = int(np.prod(shape, dtype=object))
    if count * dtype.itemsize <= LARGE_BYTES:
        return np.empty(shape, dtype)
    return map_array(open_spool(count * dtype.itemsize), 0, shape, dtype, "r+")


def map_array(
    file: IO[bytes], offset: int, shape: tuple[int, ...], dtype: npt.DTypeLike, mode: Literal["r", "r+"] = "r"
) -> np.ndarray:
    """Return an array that is mapped to the bytes of an open file."""
    return np.memmap(file, dtype, mode, offset, shape)


def open_spool(size: int) -> IO[bytes]:
    """Open an unlinked file of ``size`` bytes in the cache folder.

    Raises:
        DataError: The disk has no space for it.
    """
    folder = cache_folder() / "spool"
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
    """Return ranges of rows that take about ``BLOCK_BYTES`` each."""
    row = max(1, array.nbytes // max(1, len(array)))
    step = max(1, BLOCK_BYTES // row)
    return [slice(start, min(start + step, len(array))) for start in range(0, len(array), step)]


def map_blocks(
    array: np.ndarray, function: Callable[[np.ndarray], np.ndarray], dtype: npt.DTypeLike
) -> np.ndarray:
    """Apply ``function`` to an array, in blocks if the array is larger than 1 GB.

    Args:
        array: Shape (samples, ...).
        function: Maps rows to as many rows of the same shape.
        dtype: Type of the result.
    """
    if array.nbytes <= LARGE_BYTES:
        return np.asarray(function(array), dtype)
    result = allocate_array(array.shape, dtype)
    for rows in blocks(array):
        result[rows] = function(np.asarray(array[rows]))
    return result


def take_rows(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return the rows at ``indices`` in that order, in a mapped file if they are larger than 1 GB."""
    if len(array) == 0 or array.nbytes // len(array) * len(indices) <= LARGE_BYTES:
        return np.asarray(array[indices])
    result = allocate_array((len(indices), *array.shape[1:]), array.dtype)
    for rows in blocks(result):
        result[rows] = array[indices[rows]]
    return result


class Rows:
    """Collects rows, in a file if they are larger than 1 GB."""

    def __init__(self) -> None:
        self._kept: list[np.ndarray] = []
        self._count = 0
        self._file: IO[bytes] | None = None

    def append(self, row: np.ndarray) -> None:
        """Add a row.

        Raises:
            ValueError: The row has another shape or type than the first.
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
            self._file = open_spool(0)
        open_spool(sum(row.nbytes for row in self._kept)).close()  # raises if the disk is full
        for row in self._kept:
            self._file.write(np.ascontiguousarray(row).data)
        self._kept = []

    def finish(self) -> np.ndarray:
        """Return all rows as one array."""
        if self._file is None:
            return np.stack(self._kept)
        self._write_out()
        self._file.flush()
        return map_array(self._file, 0, (self._count, *self._shape), self._dtype)

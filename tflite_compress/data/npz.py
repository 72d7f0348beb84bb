"""Read arrays from ``.npz`` files without Python objects; large arrays are memory-mapped.

Formats: PKZIP APPNOTE 6.3 for the archive, numpy.lib.format for the members.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from tflite_compress.data import spool
from tflite_compress.support.errors import DataError

NumericType = np.dtype[np.generic]
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of a file. Arrays over 1 GB are mapped from it, or from an unpacked copy if compressed.

    Args:
        path: The file.

    Returns:
        Arrays by name.

    Raises:
        DataError: The file is missing, damaged, has Python objects, or claims more data than it stores.
    """
    with _opened(path) as archive:
        return {name: _member(path, archive, info) for name, info in _arrays(archive)}


def read_npz_headers(path: Path) -> dict[str, tuple[tuple[int, ...], NumericType]]:
    """Read shape and dtype of all arrays of a file, without the arrays.

    Raises:
        DataError: The file is missing or damaged.
    """
    with _opened(path) as archive:
        found = {}
        for name, info in _arrays(archive):
            with archive.open(info) as stream:
                shape, _, dtype, _ = _header(stream)
            found[name] = (shape, dtype)
        return found


def _arrays(archive: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Return name and member of each array."""
    members = (info for info in archive.infolist() if info.filename.endswith(".npy"))
    return [(info.filename.removesuffix(".npy"), info) for info in members]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a file, and name it in errors.

    Raises:
        DataError: The file is missing, damaged or not supported.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file", "Check the path of the data.") from error
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        reason = str(error) or type(error).__name__
        hint = "Save numeric arrays; it has Python objects." if "pickle" in reason else "Save the file again."
        raise DataError(f"{path}: cannot be read ({reason})", hint) from error


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Read one array. Its header is compared with the member's size before memory is allocated."""
    with archive.open(info) as stream:
        shape, fortran, dtype, start = _header(stream)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded: they would be a pickle")
        needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if needed != info.file_size - start:
            raise ValueError(
                f"{info.filename} claims shape {shape}, {needed:,} bytes, and has {info.file_size - start:,}"
            )
        if needed <= spool.LARGE_BYTES or fortran:
            with archive.open(info) as whole:
                return np.asarray(np.lib.format.read_array(whole, allow_pickle=False))
        if info.compress_type != zipfile.ZIP_STORED:
            return _unpacked(stream, shape, dtype)
    offset = _data_offset(path, info) + start
    with path.open("rb") as file:
        return spool.map_array(file, offset, shape, dtype)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, NumericType, int]:
    """Return shape, order and type of the array, and the offset of its data in the member."""
    version = np.lib.format.read_magic(stream)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in reader:
        raise ValueError(f"version {version} of the array format is not known")
    shape, fortran, dtype = reader[version](stream)
    return shape, fortran, dtype, int(stream.tell())


def _unpacked(stream: IO[bytes], shape: tuple[int, ...], dtype: NumericType) -> np.ndarray:
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    file = spool.open_spool(size)
    while block := stream.read(io.DEFAULT_BUFFER_SIZE * 128):
        file.write(block)
    file.flush()
    return spool.map_array(file, 0, shape, dtype)


def _data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Return the offset of a stored member's bytes, which follow its local header and extra field."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return info.header_offset + _LOCAL_HEADER.size + int(header[9]) + int(header[10])

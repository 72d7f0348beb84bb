"""Validate archives, HDF5 files and SavedModel folders before a loader opens them.

A container may refer to other files, or claim far more data than it stores. Nothing is allocated or unpacked
here.
"""

from __future__ import annotations

import math
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tflite_compress.support.errors import ModelError

if TYPE_CHECKING:
    import h5py

MAX_EXPANSION = 100  # times the stored size; weights hardly compress
FREE_BYTES = 64 << 20  # smaller claims are accepted unchecked
MAX_MEMBERS = 10_000


def require_sound_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse a zip archive with paths outside itself, with links, or with members that expand too much.

    Raises:
        ModelError: The archive has such a member.
    """
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ModelError(f"{path}: has {len(members):,} members, more than any model", _AGAIN)
    for member in members:
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in member.filename:
            raise ModelError(f"{path}: member '{member.filename[:80]}' points outside the archive", _AGAIN)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ModelError(f"{path}: member '{member.filename[:80]}' is a link", _AGAIN)
        _require_real(member.file_size, member.compress_size, f"{path}: member '{member.filename[:80]}'")


def require_sound_hdf5(file: h5py.File, path: Path) -> None:
    """Refuse an HDF5 file with data in other files, or with data sets far larger than the stored bytes.

    Args:
        file: An open ``h5py.File``.
        path: Its path, for the error message.

    Raises:
        ModelError: The file has such a data set.
    """
    import h5py

    for name, link in _links(file):
        if isinstance(link, h5py.ExternalLink):
            raise ModelError(f"{path}: '{name}' links to another file", _AGAIN)
        found = file.get(name)
        if not isinstance(found, h5py.Dataset):
            continue
        if found.external or found.is_virtual:
            raise ModelError(f"{path}: '{name}' keeps its data in another file", _AGAIN)
        claimed = math.prod(found.shape or ()) * found.dtype.itemsize
        _require_real(claimed, found.id.get_storage_size(), f"{path}: '{name}'")


def require_sound_folder(folder: Path) -> None:
    """Refuse a SavedModel with links, or with constants far larger than the stored bytes.

    Raises:
        ModelError: The folder has such a link or constant.
    """
    for file in folder.rglob("*"):
        if file.is_symlink():
            raise ModelError(f"{file}: a link; a SavedModel holds files", "Copy the files themselves.")
    for name, shape, size in _tensors(folder):
        claimed = math.prod(max(1, d) for d in shape) * 4
        _require_real(claimed, size, f"{folder}: '{name}' of shape {list(shape)}")


def require_weights_held(path: Path, parameters: int) -> None:
    """Refuse a model that creates far more weights than its file stores.

    Args:
        path: The model's file or folder.
        parameters: Number of weights the model creates.

    Raises:
        ModelError: The model creates over 64 MB of weights and 100 times more than the file stores.
    """
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    held = sum(file.stat().st_size for file in files)
    _require_real(4 * parameters, held, f"{path}: its layers")


_AGAIN = "The file is damaged or malicious. Get it from its source again."


def _require_real(claimed: int, stored: int, what: str) -> None:
    if claimed > FREE_BYTES and claimed > MAX_EXPANSION * max(1, stored):
        raise ModelError(f"{what}: claims {claimed:,} bytes, and {stored:,} are stored", _AGAIN)


def _links(file: h5py.File) -> Iterator[tuple[str, object]]:
    """Yield every link of an HDF5 file with its path. Each group is visited once."""
    import h5py

    stack, seen = [""], set()
    while stack:
        place = stack.pop()
        group = file[place] if place else file
        number = h5py.h5o.get_info(group.id).addr
        if number in seen:
            continue
        seen.add(number)
        for name in group:
            link = group.get(name, getlink=True)
            yield f"{place}/{name}", link
            if isinstance(link, h5py.HardLink) and isinstance(group.get(name), h5py.Group):
                stack.append(f"{place}/{name}")


def _tensors(folder: Path) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Yield the constants of a SavedModel's graphs: name, claimed shape, stored bytes."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    for meta in saved.meta_graphs:
        for node in [*meta.graph_def.node, *(n for f in meta.graph_def.library.function for n in f.node_def)]:
            if node.op == "Const":
                tensor = node.attr["value"].tensor
                shape = tuple(int(d.size) for d in tensor.tensor_shape.dim)
                yield node.name, shape, tensor.ByteSize()

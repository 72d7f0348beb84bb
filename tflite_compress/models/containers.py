"""What holds a model is looked over before a loader opens it: archives, HDF5 files, SavedModel folders.

A container may point outside itself, or claim far more than it holds. Nothing is allocated or unpacked here.
"""

from __future__ import annotations

import math
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tflite_compress.support.errors import ModelError

MAX_EXPANSION = 100  # times its size in the file; weights hardly compress at all
FREE_BYTES = 64 << 20  # below this a claim does no harm
MAX_MEMBERS = 10_000


def require_sound_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse a zip archive with members outside itself, links, or a bomb.

    Raises:
        ModelError: Naming the member.
    """
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ModelError(f"{path}: has {len(members):,} members, no model has", _AGAIN)
    for member in members:
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in member.filename:
            raise ModelError(f"{path}: member '{member.filename[:80]}' points outside the archive", _AGAIN)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ModelError(f"{path}: member '{member.filename[:80]}' is a link", _AGAIN)
        _require_real(member.file_size, member.compress_size, f"{path}: member '{member.filename[:80]}'")


def require_sound_hdf5(file: Any, path: Path) -> None:
    """Refuse an HDF5 file with data in other files, or with data sets far larger than what is stored.

    Args:
        file: An open ``h5py.File``.
        path: For the message.

    Raises:
        ModelError: Naming the data set.
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
    """Refuse a SavedModel with links in it, or with constants far larger than what is stored.

    Raises:
        ModelError: Naming the file or the node.
    """
    for file in folder.rglob("*"):
        if file.is_symlink():
            raise ModelError(f"{file}: a link; a SavedModel holds files", "Copy the files themselves.")
    for name, shape, size in _tensors(folder):
        claimed = math.prod(max(1, d) for d in shape) * 4
        _require_real(claimed, size, f"{folder}: '{name}' of shape {list(shape)}")


def require_weights_held(path: Path, parameters: int) -> None:
    """Refuse a model that would make far more weights than its file holds.

    Args:
        path: The model's file or folder.
        parameters: How many weights it makes.

    Raises:
        ModelError: Saying both.
    """
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    held = sum(file.stat().st_size for file in files)
    _require_real(4 * parameters, held, f"{path}: its layers")


_AGAIN = "It was made to do harm, or is damaged; get it from its source again."


def _require_real(claimed: int, stored: int, what: str) -> None:
    if claimed > FREE_BYTES and claimed > MAX_EXPANSION * max(1, stored):
        raise ModelError(f"{what}: claims {claimed:,} bytes, and {stored:,} are stored", _AGAIN)


def _links(file: Any) -> Iterator[tuple[str, Any]]:
    """Every link of an HDF5 file with its path; groups are entered once, whatever links to them."""
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
    """Constants of a SavedModel's graphs: name, claimed shape, bytes stored."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    for meta in saved.meta_graphs:
        for node in [*meta.graph_def.node, *(n for f in meta.graph_def.library.function for n in f.node_def)]:
            if node.op == "Const":
                tensor = node.attr["value"].tensor
                shape = tuple(int(d.size) for d in tensor.tensor_shape.dim)
                yield node.name, shape, tensor.ByteSize()

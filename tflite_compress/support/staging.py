"""Write results whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tflite_compress.support.errors import OutputError
from tflite_compress.support.locks import exclusive

MANIFEST = "manifest.json"
SET_ASIDE = "old"
SCARCE_BYTES = 1 << 20  # with less free disk than this, any error is taken to be caused by it
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux's renameat2(2)


@contextlib.contextmanager
def result_folder(target: Path) -> Iterator[Path]:
    """Open a hidden folder beside ``target`` to write into; it becomes ``target`` on success.

    An earlier result of this tool at ``target`` is replaced. A folder that contains anything else is refused,
    so that no file of the user is deleted. An error or Ctrl-C leaves no files. The next run removes files
    that a killed run left. Two runs that write into the same folder at the same time are refused.

    Args:
        target: The folder of the result.

    Yields:
        The folder to write into.

    Raises:
        OutputError: ``target`` cannot be written, contains other files or is in use, or the disk is full.
    """
    _require_free(target)
    parents = _missing_parents(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.with_name(f".{target.name}.lock"), f"--out={target}"):
            _clear_leftovers(target)
            staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
            try:
                yield staging
                for path in staging.rglob("*"):
                    _flush(path)
                _swap(staging, target)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise _failure(target, error) from error
    finally:
        for parent in parents:  # leave no empty folders after an error
            with contextlib.suppress(OSError):
                parent.rmdir()


def require_writable(target: Path) -> None:
    """Check that a result can be written, by a folder that is removed at once.

    Args:
        target: The folder of the result.

    Raises:
        OutputError: ``target`` contains other files, or its folder cannot be written.
    """
    _require_free(target)
    existing = next(parent for parent in target.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".partial", dir=existing):
            pass
    except OSError as error:
        raise _failure(target, error) from error


def full_disk(min_bytes: int = 0) -> OutputError | None:
    """Return an error if the disk for temporary files is full. TensorFlow does not report a full disk.

    Args:
        min_bytes: Free bytes that are needed.

    Returns:
        The error to raise, or None if there is enough free space.
    """
    try:
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return OutputError(f"no folder for temporary files can be written ({error})", "Set TMPDIR to one.")
    if free >= max(min_bytes, SCARCE_BYTES):
        return None
    return OutputError(
        f"{folder}: no space left on the disk for temporary files ({free:,} bytes free"
        + (f", about {min_bytes:,} needed)" if min_bytes else ")"),
        "Free some space, or set TMPDIR to another folder.",
    )


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file in a staging folder.

    Raises:
        OutputError: The disk is full or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        raise _failure(path, error) from error


def replace_file(path: Path, content: bytes | str) -> None:
    """Write a file whole, or keep the old file if an error occurs.

    Raises:
        OutputError: The disk is full or the file cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write_file(beside, content)
        _flush(beside)
        beside.replace(path)
    except OSError as error:
        raise _failure(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def require_replaceable(path: Path) -> None:
    """Check that :func:`replace_file` can write a file, by one beside it that is removed at once.

    Raises:
        OutputError: The path is a folder, or its folder cannot be written.
    """
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(prefix=f".{path.name}.", suffix=".partial", dir=existing):
            pass
    except OSError as error:
        raise _failure(path, error) from error


def _require_free(target: Path) -> None:
    """Refuse a target that contains anything except an earlier result of this tool."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if target.is_dir() and _is_result(target):
        return
    raise OutputError(
        f"--out={target}: exists and holds something other than a result of this tool",
        "Choose another --out; nothing was changed.",
    )


def _is_result(folder: Path) -> bool:
    """Return True if a manifest of this tool lists every file in the folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        listed = {*manifest["outputs"], *manifest.get("files", [])}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return found <= listed | {MANIFEST}


def _clear_leftovers(target: Path) -> None:
    """Remove files of a killed run beside the target; restore a result that it had set aside."""
    beside = re.compile(re.escape(f".{target.name}.") + r"[a-z0-9_]{8}\.(partial|old)")
    for path in list(target.parent.iterdir()):
        if beside.fullmatch(path.name) is None:
            continue
        if (path / SET_ASIDE).exists() and not target.exists():
            (path / SET_ASIDE).rename(target)
        shutil.rmtree(path, ignore_errors=True)


def _swap(staging: Path, target: Path) -> None:
    """Replace the target by the staging folder: in one step, or by two renames if the system cannot."""
    staging.chmod(0o755)
    if target.exists() and not _exchanged(staging, target):
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
        target.rename(old / SET_ASIDE)
        try:
            staging.rename(target)
        except OSError:
            (old / SET_ASIDE).rename(target)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
    elif staging.exists() and not target.exists():
        staging.rename(target)
    _flush_folder(target.parent)


def _exchanged(staging: Path, target: Path) -> bool:
    """Exchange two folders in one step (Linux: renameat2); return False if the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    paths = os.fsencode(staging), os.fsencode(target)
    return bool(rename(_HERE, paths[0], _HERE, paths[1], _EXCHANGE) == 0)


def _missing_parents(target: Path) -> list[Path]:
    """Return the parents of the target that do not exist yet, innermost first."""
    return [parent for parent in target.absolute().parents if not parent.exists()]


def _flush(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def _flush_folder(path: Path) -> None:
    """Make renames in a folder survive a power failure; file systems that refuse do not need it."""
    with contextlib.suppress(OSError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _failure(path: Path, error: OSError) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"{path}: no space left on the disk", "Free some space, or choose another --out.")
    return OutputError(
        f"{path}: cannot be written ({error.strerror or error})",
        "Choose a place that you may write to.",
    )

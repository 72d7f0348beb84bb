"""Writing results: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tflite_compress.errors import OutputError

MANIFEST = "manifest.json"


@contextlib.contextmanager
def result_folder(target: Path) -> Iterator[Path]:
    """Give a hidden folder beside ``target`` to write into; it becomes ``target`` on success.

    An earlier result of this tool at ``target`` is replaced; a folder with anything else in it is
    refused, so that no file of the user's is ever lost. On an error or Ctrl-C nothing is left behind.

    Args:
        target: The folder the result shall be.

    Raises:
        OutputError: The place cannot be written, is taken, or the disk is full.
    """
    _require_free(target)
    parents = _missing_parents(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise _failure(target, error) from error
    try:
        yield staging
        for path in staging.rglob("*"):
            _flush(path)
        _swap(staging, target)
    except OSError as error:
        raise _failure(target, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in parents:  # a run that wrote nothing leaves no empty folders either
            with contextlib.suppress(OSError):
                parent.rmdir()


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
    """Write one file of the user's choosing: whole, or the old one stays.

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


def _require_free(target: Path) -> None:
    """Refuse a target that holds anything but an earlier result of ours."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if target.is_dir() and _is_result(target):
        return
    raise OutputError(
        f"--out={target}: exists and holds something other than a result of this tool",
        "Choose another --out; nothing was changed.",
    )


def _is_result(folder: Path) -> bool:
    """True where a manifest of ours lists every file in the folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        listed = {*manifest["outputs"], *manifest.get("files", [])}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return found <= listed | {MANIFEST}


def _swap(staging: Path, target: Path) -> None:
    """Put the staging folder in the target's place by renaming."""
    staging.chmod(0o755)
    if not target.exists():
        staging.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    target.rename(old / "old")
    try:
        staging.rename(target)
    except OSError:
        (old / "old").rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _missing_parents(target: Path) -> list[Path]:
    """Parents of the target that do not exist yet, innermost first."""
    return [parent for parent in target.absolute().parents if not parent.exists()]


def _flush(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def _failure(path: Path, error: OSError) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"{path}: no space left on the disk", "Free some space, or choose another --out.")
    return OutputError(
        f"{path}: cannot be written ({error.strerror or error})", "Choose another --out, or its permissions."
    )

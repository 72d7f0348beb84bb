"""Locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tflite_compress.support.errors import OutputError


@contextlib.contextmanager
def exclusive(lock: Path, what: str) -> Iterator[None]:
    """Hold a lock file. The system releases the lock when the process ends, even if it is killed.

    Args:
        lock: The lock file; it is removed afterwards.
        what: What is locked, for the message.

    Raises:
        OutputError: Another process holds the lock.
        OSError: The file cannot be written.
    """
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not lock.exists() or not os.path.samestat(os.fstat(stream.fileno()), lock.stat()):
                raise BlockingIOError  # the process that held the lock has just removed the file
        except BlockingIOError as error:
            raise OutputError(
                f"{what}: another run is writing there", "Wait for it, or choose another --out."
            ) from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)

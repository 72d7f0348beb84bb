"""The state of a training on disk, from which an interrupted run continues."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

from tflite_compress.passes.base import Context
from tflite_compress.support.backend import tensorflow

SHARE_OF_TIME = 0.03  # of the training, for writing checkpoints
MIN_SECONDS = 1.0  # between two checkpoints


def discard_checkpoint(context: Context, key: str) -> None:
    """Remove the checkpoint of a training that is no longer needed."""
    folder = _checkpoint_folder(context, key)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()  # the run's last one


class TrainingCheckpoint:
    """Weights and optimizer of a training, in one folder per run and pass.

    Args:
        model: A compiled tf_keras model. The steps of its optimizer are those of the training.
        context: The folder of the run, and where to tell about it.
        key: Names this training among all passes of the run.
        best: The best weights so far, as TensorFlow's trackable; None if they are not kept.
    """

    def __init__(self, model: Any, context: Context, key: str, best: object = None) -> None:
        self._say = context.progress.say
        self._folder = _checkpoint_folder(context, key)
        self._optimizer = model.optimizer
        parts = {"model": model, "optimizer": model.optimizer}
        self._state = tensorflow().train.Checkpoint(**parts, **({} if best is None else {"best": best}))
        self._saved_at = time.monotonic()
        self._pause = MIN_SECONDS

    def restore(self, title: str) -> int:
        """Load the last checkpoint, if any, and return its number of finished steps."""
        if self._folder is None:
            return 0
        latest = tensorflow().train.latest_checkpoint(str(self._folder))
        if latest is None:
            return 0
        try:
            self._state.restore(latest).expect_partial()
        except Exception as error:  # cut off by a full disk or a power cut, or removed by another run
            self._say(f"{title}: starting anew, the checkpoint {self._folder} cannot be read: {error}")
            shutil.rmtree(self._folder, ignore_errors=True)
            return 0
        done = self._steps()
        self._say(f"{title}: continuing after step {done:,} of an interrupted run")
        return done

    def save_from_time_to_time(self) -> None:
        """Write a checkpoint, unless writing them would take too much of the time."""
        if time.monotonic() - self._saved_at >= self._pause:
            self.save()

    def save(self) -> None:
        """Write a checkpoint. If the disk is full, training continues without it."""
        if self._folder is None:
            return
        start = time.monotonic()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            manager = tensorflow().train.CheckpointManager(self._state, str(self._folder), max_to_keep=1)
            manager.save(checkpoint_number=self._steps())
        except Exception as error:
            self._say(f"no checkpoint written to {self._folder}: {error}")
            self._folder = None
        self._saved_at = time.monotonic()
        self._pause = max(MIN_SECONDS, (self._saved_at - start) / SHARE_OF_TIME)

    def _steps(self) -> int:
        return int(self._optimizer.iterations.numpy())


def _checkpoint_folder(context: Context, key: str) -> Path | None:
    if context.checkpoints is None:
        return None
    return context.checkpoints / hashlib.sha256(key.encode()).hexdigest()[:20]

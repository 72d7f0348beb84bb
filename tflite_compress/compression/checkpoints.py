"""Folders of training checkpoints."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from tflite_compress.compression.options import Options
from tflite_compress.data.split import Splits
from tflite_compress.models.source import Source
from tflite_compress.support.cache_folder import cache_folder
from tflite_compress.support.file_manifest import versions
from tflite_compress.support.references import reference_name


def find_checkpoints(source: Source, splits: Splits, options: Options) -> Path | None:
    """Return the folder of a run's training checkpoints; None to keep none.

    Args:
        source: The model.
        splits: The data.
        options: The run's settings. Unless they resume trainings, an earlier run's checkpoints are deleted.
    """
    if options.resume is None:
        return None
    loss = reference_name(options.loss) if callable(options.loss) else options.loss
    record = [source.sha256, splits.train.sha256(), options.seed, loss, versions()]
    if splits.unlabelled is not None:
        record.append(splits.unlabelled.sha256())
    run = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:20]
    if not isinstance(options.resume, bool):
        return Path(options.resume) / run
    folder = checkpoint_folder() / run
    if not options.resume:
        shutil.rmtree(folder, ignore_errors=True)
    return folder


def checkpoint_folder() -> Path:
    """Where interrupted trainings leave their state: the user's cache folder."""
    return cache_folder() / "training"
